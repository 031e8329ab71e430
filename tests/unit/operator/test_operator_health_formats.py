"""Guards how the health report is handed on: Prometheus text, JSON, the table, exit codes."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from click.testing import CliRunner

from dlt_ingest.metrics.health.model import Check, HealthReport
from dlt_ingest.metrics.health.prometheus import render
from orders.cli import check as check_command

AT = datetime(2025, 6, 1, 12, 0, tzinfo=timezone.utc)
GOOD = Check("quality_rate", "ok", "99% good", value=Decimal("0.99"), limit=Decimal("0.95"), unit="ratio")
ODD = Check(
    "freshness", "warn", "odd", value=7, limit=5, unit="minutes", subject='a "quoted" back\\slash\nline'
)
BAD = Check("dead_letters", "fail", "3 rows wait", value=3, limit=0, unit="rows", next_step="orders export")
NONE = Check("update_duration", "not_applicable", "too few")

# Prometheus documentation, "Exposition formats": a sample is a name, labels with escaped values, and a number.
_SAMPLE = re.compile(
    r'^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\{(?P<labels>(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)*)\} '
    r"(?P<value>-?[0-9.]+(?:e[+-]?[0-9]+)?)$"
)


def report(*checks: Check) -> HealthReport:
    return HealthReport("local", AT, checks)


def samples(text: str) -> dict[tuple[str, str], float]:
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        assert match, line
        key = (match["name"], match["labels"])
        assert key not in found, f"the series {key} comes twice"
        found[key] = float(match["value"])
    return found


def test_prometheus_text_is_valid_and_complete():
    """Guards the scrape: each family once with HELP and TYPE before its samples, labels escaped, no series twice."""
    text = render(report(GOOD, ODD, BAD, NONE))
    assert text.endswith("\n")
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    current = None
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert line.split("{")[0] == current
    series = samples(text)
    values = {
        labels.split('check="')[1].split('"')[0]: v
        for (n, labels), v in series.items()
        if n == "orders_check_verdict"
    }
    assert values == {"quality_rate": 0, "freshness": 1, "dead_letters": 2}
    assert series["orders_healthy", 'environment="local"'] == 0
    assert series["orders_check_timestamp_seconds", 'environment="local"'] == AT.timestamp()
    assert any('subject="a \\"quoted\\" back\\\\slash\\nline"' in labels for _, labels in series)
    assert ("orders_check_value", 'environment="local",check="quality_rate",unit="ratio"') in series


def test_labels_of_a_series_stay_the_same_over_time():
    """Guards graphs and alert rules: what changes with the verdict (finding, next step, update id) is not a label."""
    for good, bad in ((Check("a", "ok", "x", value=1), Check("a", "fail", "y", value=9, next_step="z")),):
        assert samples(render(report(good))).keys() == samples(render(report(bad))).keys()


def run(monkeypatch: pytest.MonkeyPatch, made: HealthReport, *arguments: str):
    class NoProject:
        @staticmethod
        def find(**_: object) -> NoProject:
            return NoProject()

        @contextmanager
        def queries(self):
            yield None

    monkeypatch.setattr(check_command, "Project", NoProject)
    monkeypatch.setattr(check_command, "health", lambda _project, _client: made)
    return CliRunner().invoke(check_command.check, arguments)


@pytest.mark.parametrize(
    ("checks", "arguments", "code"),
    [
        ((GOOD, NONE), (), 0),
        ((GOOD, ODD), (), 0),
        ((GOOD, ODD), ("--strict",), 1),
        ((GOOD, BAD), (), 1),
        ((GOOD, BAD), ("--format", "json"), 1),
        ((GOOD, BAD), ("--format", "prometheus"), 1),
    ],
)
def test_exit_code(monkeypatch, checks, arguments, code):
    """Guards what a scheduler sees: 0 healthy, 1 not; a warning counts only if asked to."""
    assert run(monkeypatch, report(*checks), *arguments).exit_code == code


def test_json(monkeypatch):
    """Guards the JSON: figures are numbers as they were measured, and nothing else is on standard output."""
    answer = json.loads(run(monkeypatch, report(GOOD, BAD), "--format", "json").stdout)
    assert (answer["healthy"], answer["environment"], answer["checked_at"]) == (
        False,
        "local",
        AT.isoformat(),
    )
    first, second = answer["checks"]
    assert (first["value"], first["limit"], first["unit"]) == (0.99, 0.95, "ratio")
    assert (second["value"], second["next_step"]) == (3, "orders export")


def test_table_shows_trouble_first(monkeypatch):
    """Guards the reader's time: what failed is on top, with its next step."""
    lines = run(monkeypatch, report(GOOD, NONE, ODD, BAD)).stdout.splitlines()
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert heads[:4] == ["FAIL", "warn", "ok", "n/a"]
    assert lines[1].endswith("Next: orders export")


def test_a_file_is_replaced_whole(monkeypatch, tmp_path):
    """Guards the scraper's folder: the file holds the latest report and nothing lies beside it."""
    file = tmp_path / "textfile" / "orders.prom"
    for made in (report(GOOD), report(BAD)):
        done = run(monkeypatch, made, "--format", "prometheus", "--out", str(file))
        assert done.stdout == ""
        assert file.read_text() == render(made)
    assert done.exit_code == 1
    assert [path.name for path in file.parent.iterdir()] == ["orders.prom"]


def test_a_table_is_for_people(monkeypatch, tmp_path):
    """Guards against a table where a scraper expects figures."""
    assert run(monkeypatch, report(GOOD), "--out", str(tmp_path / "x")).exit_code == 2
