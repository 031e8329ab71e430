"""The promised freshness agrees: the configuration is its source, SQL reads it from the seed, dbt's sources from a variable.

`orders check`, the mart, both dashboards, Postgres and the alert all read the seed, each environment its own rows.
`dbt source freshness` cannot read a table; it takes the minutes of its target from variable `source_freshness_minutes`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlt_ingest.configurations.settings import Settings
from orders.bundle_check.document import Position, read_document
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

SEED = "seeds/freshness_slas.csv"
_FOLDER = "dlt_ingest/configurations"
_KEY = "FRESHNESS_SLA_MINUTES"
_PROJECT_FILE = "dbt_project.yml"
_VARIABLE = "source_freshness_minutes"
# Silver takes what Bronze has in the same update, so one promise holds for the sources of both.
_SOURCE = "bronze.orders"


def check_freshness(subject: Subject) -> Iterator[Finding]:
    """Compare the seed and dbt's variable with every configuration, including the laptop's, which no target deploys."""
    yield from _check_sources(subject)
    seed = subject.root / SEED
    if not seed.is_file():
        yield finding(
            Position(SEED, 1),
            (),
            "is missing",
            allowed="one row per environment and dataset",
            remedy="Add it.",
        )
        return
    promised, lines = _promised(seed)
    configured = _configured(subject.root / _FOLDER)
    for place, minutes in sorted(promised.items()):
        environment, dataset = place
        expected = configured.get(environment, {}).get(dataset)
        if minutes != str(expected):
            yield finding(
                Position(SEED, lines[place]),
                place,
                f"promises {minutes} minutes, and {_FOLDER}/{environment}.json says "
                f"{'nothing' if expected is None else expected} ({_KEY})",
                allowed="the configuration's value",
                remedy=f"Write {expected} here, or change the configuration first."
                if expected is not None
                else "Remove the row, or add the dataset to the configuration.",
            )
    for environment, datasets in sorted(configured.items()):
        for dataset, due in sorted(datasets.items()):
            if (environment, dataset) not in promised:
                yield finding(
                    Position(SEED, 1),
                    (environment, dataset),
                    f"is missing, and {_FOLDER}/{environment}.json promises {due} minutes ({_KEY})",
                    allowed="one row per promise",
                    remedy="Add the row: the mart and the alert read promises from the seed only.",
                )


def _check_sources(subject: Subject) -> Iterator[Finding]:
    if not (subject.root / _PROJECT_FILE).is_file():
        return
    variables = read_document(subject.root / _PROJECT_FILE, subject.root).root.find("vars")
    by_target = variables.find(_VARIABLE) if variables else None
    if by_target is None:
        return
    for environment, datasets in sorted(_configured(subject.root / _FOLDER).items()):
        expected = datasets.get(_SOURCE)
        node = by_target.find(environment)
        found = "nothing" if node is None else node.value
        if expected is not None and str(found) != str(expected):
            yield finding(
                node or by_target,
                ("vars", _VARIABLE, environment),
                f"is {found}, and {_FOLDER}/{environment}.json promises {expected} minutes for {_SOURCE} ({_KEY})",
                allowed="the configuration's value",
                remedy=f"Write {environment}: {expected} here, or change the configuration first.",
            )


def _promised(seed: Path) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], int]]:
    """Return minutes and line of the file, by environment and dataset."""
    promised, lines = {}, {}
    with seed.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        for row in reader:
            place = (row.get("environment") or "", row.get("dataset") or "")
            promised[place], lines[place] = row.get("sla_minutes") or "", reader.line_num
    return promised, lines


def _configured(folder: Path) -> dict[str, Mapping[str, int]]:
    """Return minutes by dataset for each environment. The rules of the configuration report a file that is not JSON."""
    found: dict[str, Mapping[str, int]] = {}
    for file in folder.glob("*.json"):
        if file.name == "settings.schema.json":
            continue
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            continue
        found[file.stem] = document.get(_KEY) or Settings.model_fields[_KEY].default
    return found
