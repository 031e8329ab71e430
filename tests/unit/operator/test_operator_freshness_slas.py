"""The freshness promises stand twice: in the configuration, for the check, and in a seed, for mart, alert and dashboard."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dlt_ingest.configurations.loading import load_settings

SEED = Path(__file__).resolve().parents[3] / "seeds" / "freshness_slas.csv"


def promised() -> dict[str, int]:
    with SEED.open(newline="", encoding="utf-8") as file:
        return {row["dataset"]: int(row["sla_minutes"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_deployed_check_and_the_alert_hold_the_same_promise(environment: str) -> None:
    """Guards against a check that fails while the stale-data alert stays quiet, or the other way round."""
    limits = load_settings(environment, environ={}).FRESHNESS_SLA_MINUTES
    assert {dataset: promised()[dataset] for dataset in limits} == limits


def test_a_laptop_may_rest_for_a_week() -> None:
    """Guards `orders check` on a laptop against failing because nobody worked yesterday: every promise is relaxed there."""
    limits = load_settings("local", environ={}).FRESHNESS_SLA_MINUTES
    assert limits.keys() == promised().keys()
    assert set(limits.values()) == {7 * 24 * 60}
