"""What the tests of mistakes share: a mistake as data, and looking for it.

Every mistake is something that the Databricks CLI, the platform or a night without orders would have told much later.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orders.bundle_check.rules import check_bundle

JOB = "resources/orders.job.yml"
PIPELINE = "resources/orders_ingest.pipeline.yml"
STORAGE = "resources/storage.yml"
ALERTS = "resources/alerts.yml"
DASHBOARDS = "resources/dashboards.yml"
MAIN = "databricks.yml"
SEED = "seeds/freshness_slas.csv"


@dataclass(frozen=True)
class Mistake:
    """One edit, and the finding that it must lead to.

    Attributes:
        name: What is done wrong.
        file: Where.
        old: The text that is replaced, once.
        new: What replaces it.
        key: The key path that the finding must name.
        what: A part of what it must say.
        remedy: A part of what it must advise.
        at: The file that the finding must name, where it is not the edited one.
        target: The target in which it shows.
    """

    name: str
    file: str
    old: str
    new: str
    key: str
    what: str
    remedy: str
    at: str | None = None
    target: str = "prod"


def each(mistakes: list[Mistake]) -> pytest.MarkDecorator:
    """One case of a test for each mistake, by its name."""
    return pytest.mark.parametrize("mistake", mistakes, ids=[m.name.replace(" ", "-") for m in mistakes])


def assert_found(mistake: Mistake, root: Path) -> None:
    """Make the mistake in a good bundle; the check must name file and key, what is wrong, and what to do."""
    file = root / mistake.file
    text = file.read_text(encoding="utf-8")
    assert mistake.old in text, f"the good bundle no longer has {mistake.old!r} in {mistake.file}"
    file.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    findings = check_bundle(root, [mistake.target])
    found = [finding for finding in findings if finding.key == mistake.key and mistake.what in finding.what]
    assert found, "\n".join(map(str, findings)) or "nothing was found"
    assert mistake.remedy in f"{found[0].remedy} {found[0].allowed}", str(found[0])
    assert found[0].file == (mistake.at or mistake.file), str(found[0])
    assert found[0].line > 0, str(found[0])
