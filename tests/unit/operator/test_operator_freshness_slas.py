"""One promise of freshness per environment, whoever reads it: check, mart, dashboards, Postgres, alert, dbt."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import yaml

from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.configurations.settings import ENVIRONMENTS

PROJECT = Path(__file__).resolve().parents[3]
_COUNTS = re.compile(r"(warn|error)_after: \{count: \"\{\{ (.*?) \}\}\", period: minute\}")


def promised(environment: str) -> dict[str, int]:
    with (PROJECT / "seeds" / "freshness_slas.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["environment"] == environment]
    return {row["dataset"]: int(row["sla_minutes"]) for row in rows}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_configuration_and_seed_make_the_same_promise(environment: str) -> None:
    """Guards against a check that fails while the stale-data alert stays quiet, or the other way round.

    The check once promised 168 hours on a laptop, and mart and dashboard 24.
    """
    assert promised(environment) == load_settings(environment, environ={}).FRESHNESS_SLA_MINUTES


def test_a_laptop_may_rest_for_a_week() -> None:
    """Guards `orders check` on a laptop against failing because nobody worked yesterday: every promise is relaxed there."""
    assert promised("local").keys() == promised("prod").keys()
    assert set(promised("local").values()) == {7 * 24 * 60}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_dbt_source_freshness_warns_at_the_promise(environment: str) -> None:
    """Guards `dbt source freshness`: the minutes of its target are those of the configuration, for every source."""
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    minutes = variables["source_freshness_minutes"][environment]
    assert {minutes} == {promised(environment)["bronze.orders"], promised(environment)["silver.orders"]}


def test_no_source_has_a_limit_of_its_own() -> None:
    """Guards the one source: a limit written beside a source would leave the others behind when the promise changes."""
    counts = set()
    for file in (PROJECT / "dbt_project/models/staging").glob("*/_*__sources.yml"):
        counts |= set(_COUNTS.findall(file.read_text(encoding="utf-8")))
    assert counts == {
        ("warn", "var('source_freshness_minutes')[target.name] | default(1440)"),
        ("error", "2 * (var('source_freshness_minutes')[target.name] | default(1440))"),
    }
