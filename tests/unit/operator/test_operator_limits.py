"""Guards that alerts and health checks are compared with the same limits, those of the configuration files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.metrics.health import warehouse_checks
from orders.bundle_check.loader import Bundle
from orders.cli.check import health

PROJECT = Path(__file__).resolve().parents[3]
TARGETS = ("dev", "staging", "prod")


def threshold(bundle: Bundle, alert: str) -> float:
    return float(bundle.resources("alerts")[alert]["evaluation"]["threshold"]["value"]["double_value"])


@pytest.mark.parametrize("target", TARGETS)
def test_alerts_have_the_limits_of_the_configuration(target):
    """Guards against an alert that fires where `orders check` is content, or the other way round."""
    bundle, settings = Bundle.load(PROJECT, target), load_settings(target)
    assert threshold(bundle, "quality_rate") == float(settings.QUALITY_RATE_MINIMUM)
    assert threshold(bundle, "slow_update") == float(settings.SLOW_UPDATE_FACTOR)
    assert threshold(bundle, "export_lag") == settings.EXPORT_LAG_MINUTES


@pytest.mark.parametrize("target", TARGETS)
def test_every_alert_reads_the_marts_of_its_target(target):
    """Guards against an alert of prod that looks at dev, and against a placeholder that nobody filled in."""
    alerts = Bundle.load(PROJECT, target).resources("alerts")
    catalog = load_settings(target).catalog
    assert len(alerts) == 8
    for name, alert in alerts.items():
        assert f"{catalog}.gold." in alert["query_text"], name
        assert "${" not in alert["query_text"], name


def test_the_length_of_the_history_is_the_same():
    """Guards the two wordings of one rule: five to twenty earlier updates, and more than a second."""
    sql = Bundle.load(PROJECT, "dev").resources("alerts")["slow_update"]["query_text"]
    assert f"between 2 and {warehouse_checks.MAXIMUM_HISTORY + 1}" in sql
    assert f"updates >= {warehouse_checks.MINIMUM_HISTORY}" in sql
    assert f"usual_seconds > {warehouse_checks.NOTICEABLE_SECONDS:g}" in sql


def promised_in_the_mart(environment: str) -> list[dict[str, object]]:
    """The rows that fct_freshness makes of the seed for one environment."""
    with (PROJECT / "seeds" / "freshness_slas.csv").open(newline="", encoding="utf-8") as file:
        return [
            {"dataset": row["dataset"], "age_minutes": 1, "sla_minutes": int(row["sla_minutes"])}
            for row in csv.DictReader(file)
            if row["environment"] == environment
        ]


@pytest.mark.parametrize("target", TARGETS)
def test_the_check_command_takes_its_limits_from_the_configuration(target):
    """Guards `orders check --env`: each limit that a check reports is the environment's own."""
    settings = load_settings(target)
    asked: list[str] = []

    class Stub:
        environment = target
        is_local = False

        @staticmethod
        def postgres_settings():
            return None

    class Marts:
        @staticmethod
        def query(statement: str):
            asked.append(statement)
            if "quality_rate" in statement:
                return [{"quality_rate": 1, "rows_dropped": 0}]
            if "fct_freshness" in statement:
                return promised_in_the_mart(target)
            return []

    stub = Stub()
    stub.settings = settings
    report = health(stub, Marts())
    limits = {(check.name, check.subject): check.limit for check in report.checks}
    assert asked
    assert limits["quality_rate", ""] == settings.QUALITY_RATE_MINIMUM
    for dataset, minutes in settings.FRESHNESS_SLA_MINUTES.items():
        assert limits["freshness", dataset] == minutes
