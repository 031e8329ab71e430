"""Guards the judgement of every health check, on rows as the marts and Postgres give them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import click
import pytest

from dlt_ingest.metrics.health import postgres_checks, warehouse_checks
from dlt_ingest.metrics.health.model import Check, HealthLimits
from dlt_ingest.metrics.health.report import check_health
from dlt_ingest.sql_client import QueryFailedError
from orders.cli.main import orders

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=timezone.utc)
LIMITS = HealthLimits(
    minimum_quality_rate=Decimal("0.95"),
    slow_update_factor=Decimal(3),
    export_lag_minutes=60,
    landing_backlog_files=10,
)
Rows = Sequence[Mapping[str, Any]]
Answers = Mapping[str, Rows]


def answering(answers: Answers) -> Callable[[str], list[dict[str, Any]]]:
    """A warehouse that holds these rows, by a word of the statement that asks for them."""

    def query(statement: str) -> list[dict[str, Any]]:
        for word, rows in answers.items():
            if word in statement:
                return [dict(row) for row in rows]
        raise QueryFailedError("The warehouse refused the statement", got="TABLE_OR_VIEW_NOT_FOUND")

    return query


def update(minutes_ago: int, state: str | None, message: str | None = None) -> dict[str, Any]:
    return {
        "update_id": f"u{minutes_ago}",
        "started_at": NOW - timedelta(minutes=minutes_ago),
        "is_completed": int(state == "COMPLETED"),
        "is_failed": int(state == "FAILED"),
        "error_message": message,
    }


def rule(name: str, *, newly: bool) -> dict[str, Any]:
    return {"dataset": "silver.orders", "rule_name": name, "failed_records": 1200, "is_newly_failing": newly}


def durations(latest: float, *earlier: float) -> Rows:
    return [{"duration_seconds": Decimal(str(value))} for value in (latest, *earlier)]


def fresh(dataset: str, age: int | None, sla: int | None) -> dict[str, Any]:
    return {"dataset": dataset, "age_minutes": age, "sla_minutes": sla}


def dbt(failed: int, warned: int = 0) -> Rows:
    return [{"invocation_id": "i1", "nodes_failed": failed, "nodes_warned": warned, "tests_passed": 1}]


def day(
    number: int, score: float | None, *, anomaly: bool = False, complete: bool = True, revenue: str = "10.00"
) -> dict[str, Any]:
    return {
        "date_ordered": date(2025, 5, number),
        "net_revenue": Decimal(revenue),
        "anomaly_score": None if score is None else Decimal(str(score)),
        "is_anomaly": anomaly,
        "is_complete": complete,
    }


EVENTS, RUNS, RULES, FRESH = "stg_event_log__events", "quality_rate", "fct_quality_rules", "fct_freshness"
DURATION, DBT, NODES, DAYS = "duration_seconds", "fct_dbt_runs", "fct_dbt_nodes", "fct_revenue_anomalies"

# Check, what the marts hold, verdict, and what the finding must say.
CASES: dict[str, tuple[str, Answers, str, tuple[str, ...]]] = {
    "no update yet": ("update_succeeded", {EVENTS: []}, "fail", ("No update has run yet",)),
    "latest update good": (
        "update_succeeded",
        {EVENTS: [update(5, "COMPLETED"), update(9, "FAILED")]},
        "ok",
        (),
    ),
    "update under way": ("update_succeeded", {EVENTS: [update(1, None), update(9, "COMPLETED")]}, "ok", ()),
    "first update failed": (
        "update_succeeded",
        {EVENTS: [update(5, "FAILED", "no such file")]},
        "fail",
        ("1 update has failed", "no such file"),
    ),
    "two failed since the good one": (
        "update_succeeded",
        {EVENTS: [update(1, "FAILED", "disk full"), update(5, "FAILED", "x"), update(9, "COMPLETED")]},
        "fail",
        ("2 updates have failed", "disk full"),
    ),
    "no record checked yet": ("quality_rate", {RUNS: []}, "not_applicable", ()),
    "rate at its limit": (
        "quality_rate",
        {RUNS: [{"quality_rate": Decimal("0.950000"), "rows_dropped": 5}]},
        "ok",
        ("95.00%", "5 went"),
    ),
    "rate below its limit": (
        "quality_rate",
        {RUNS: [{"quality_rate": Decimal("0.949999"), "rows_dropped": 1234}]},
        "fail",
        ("94.99%", "1,234"),
    ),
    "rules as ever": ("rules_hold", {RULES: []}, "ok", ()),
    "rules worse": (
        "rules_hold",
        {RULES: [rule("price_positive", newly=True), rule("status_known", newly=False)]},
        "warn",
        ("price_positive (1,200, kept until now)", "status_known (1,200)"),
    ),
    "four updates are no history": (
        "update_duration",
        {DURATION: durations(9, 1, 1, 1, 1)},
        "not_applicable",
        (),
    ),
    "as long as usual": ("update_duration", {DURATION: durations(30, 10, 10, 11, 9, 10)}, "ok", ("30.0 s",)),
    "longer than the factor": (
        "update_duration",
        {DURATION: durations(30.1, 10, 10, 11, 9, 10)},
        "warn",
        ("30.1 s", "10.0 s"),
    ),
    "a blink longer": ("update_duration", {DURATION: durations(1.3, 0.3, 0.3, 0.3, 0.3, 0.3)}, "ok", ()),
    "nothing promised": (
        "freshness",
        {FRESH: [fresh("gold.x", 9, None)]},
        "not_applicable",
        ("No dataset has an SLA",),
    ),
    "as fresh as promised": (
        "freshness",
        {FRESH: [fresh("bronze.orders", 240, 240)]},
        "ok",
        ("4 hours",),
    ),
    "staler than promised": (
        "freshness",
        {FRESH: [fresh("bronze.orders", 241, 240)]},
        "fail",
        ("the promise is 4 hours",),
    ),
    "built mart never loaded": (
        "freshness",
        {FRESH: [fresh("bronze.orders", 1, 60), fresh("gold.fct_orders", None, 1500)]},
        "fail",
        ("gold.fct_orders has never been loaded",),
    ),
    "dbt has not run": ("dbt_build", {DBT: []}, "not_applicable", ()),
    "dbt fine": ("dbt_build", {DBT: dbt(0)}, "ok", ("1 test passed",)),
    "dbt warned": (
        "dbt_build",
        {DBT: dbt(0, 1), NODES: [{"node_name": "t"}]},
        "warn",
        ("1 node", "warned: t"),
    ),
    "dbt failed": (
        "dbt_build",
        {DBT: dbt(4, 1), NODES: [{"node_name": n} for n in ("fct_a", "fct_b", "fct_c")]},
        "fail",
        ("4 nodes", "failed: fct_a, fct_b, fct_c and others"),
    ),
    "no days": ("revenue_anomaly", {DAYS: []}, "not_applicable", ()),
    "days without a baseline": (
        "revenue_anomaly",
        {DAYS: [day(2, None, complete=False), day(1, None)]},
        "not_applicable",
        (),
    ),
    "today is not over": (
        "revenue_anomaly",
        {DAYS: [day(2, -5, complete=False), day(1, 0.4)]},
        "ok",
        ("2025-05-01", "0.4 robust deviations above"),
    ),
    "today is too high already": (
        "revenue_anomaly",
        {DAYS: [day(2, 6, anomaly=True, complete=False, revenue="9000.00"), day(1, 0.4)]},
        "warn",
        ("2025-05-02", "9,000.00", "above"),
    ),
    "yesterday was too low": (
        "revenue_anomaly",
        {DAYS: [day(2, -1, complete=False), day(1, -4, anomaly=True)]},
        "warn",
        ("below",),
    ),
}
BY_NAME = {**{ask.__name__: ask for ask in warehouse_checks.CHECKS}, "rules_hold": warehouse_checks.rules}


def worst(checks: Sequence[Check]) -> Check:
    return min(checks, key=lambda c: ("fail", "warn", "ok", "not_applicable").index(c.verdict))


@pytest.mark.parametrize("case", CASES)
def test_a_check_judges(case):
    """Guards verdict, figures and next step of each check of the marts."""
    name, answers, verdict, words = CASES[case]
    check = worst(BY_NAME[name](answering(answers), LIMITS))
    assert (check.name, check.verdict) == (name, verdict)
    assert [word for word in words if word not in check.finding] == []
    # The subject is a label in Prometheus: an update's id there would start a new series each time.
    assert check.subject == "" or name == "freshness"
    assert bool(check.next_step) or verdict in ("ok", "not_applicable")
    _assert_commands_exist(check.next_step)


def test_every_check_of_the_marts_has_cases():
    """Guards the table above: each check is judged bad or doubtful at least once, and good at least once."""
    judged = {(name, verdict) for name, _, verdict, _ in CASES.values()}
    for name in {"rules_hold" if n == "rules" else n for n in BY_NAME}:
        assert (name, "ok") in judged
        assert judged & {(name, "fail"), (name, "warn")}


def minutes_ago(*minutes: int) -> Rows:
    return [{"node_name": "exp_days", "built_at": NOW - timedelta(minutes=m)} for m in minutes]


def exported(minutes: int) -> Rows:
    return [{"target": "exp_days", "exported_at": NOW - timedelta(minutes=minutes)}]


# Builds, deliveries, verdict, lag in minutes.
LAGS: dict[str, tuple[Rows, Rows, str, float | None]] = {
    "nothing built": ([], [], "not_applicable", None),
    "delivered after its build": (minutes_ago(5000), exported(4999), "ok", 0.0),
    "clocks a little apart": (
        minutes_ago(10),
        [{**exported(10)[0], "exported_at": NOW - timedelta(minutes=10.5)}],
        "ok",
        0.0,
    ),
    "a build waits, not yet too long": (minutes_ago(30, 300), exported(299), "ok", 30.0),
    "the first waiting build counts": (minutes_ago(10, 40, 61, 300), exported(299), "fail", 61.0),
    "never delivered": (minutes_ago(70), [], "fail", 70.0),
}


@pytest.mark.parametrize("case", LAGS)
def test_export_lag(case):
    """Guards that waiting metrics are found by how long they wait, whether their export failed or was let through."""
    builds, state, verdict, lag = LAGS[case]
    checks = postgres_checks.export_lag(
        answering({NODES: builds}), answering({"_export_state": state}), LIMITS, NOW
    )
    assert [(c.verdict, c.value) for c in checks] == [(verdict, lag)]
    for check in checks:
        _assert_commands_exist(check.next_step)


@pytest.mark.parametrize(("count", "verdict"), [(0, "ok"), (1, "fail")])
def test_dead_letters(count, verdict):
    """Guards that a single refused row is not a small matter."""
    metrics = answering({"_dead_letter": [{"letters": count}]})
    check = postgres_checks.dead_letters(answering({}), metrics, LIMITS, NOW)[0]
    assert (check.verdict, check.value) == (verdict, count)


def test_a_workspace_without_marts():
    """Guards the first morning: each check says that there is nothing yet and what to do, and none hides another."""
    report = check_health(answering({}), None, LIMITS, environment="local", waiting_files=0)
    names = {check.name for check in report.checks if check.verdict == "fail"}
    assert names == {
        "update_succeeded",
        "quality_rate",
        "rules_hold",
        "update_duration",
        "freshness",
        "dbt_build",
        "revenue_anomaly",
    }
    assert not report.healthy
    assert {check.next_step for check in report.checks if check.verdict == "fail"} == {"orders run"}


@pytest.mark.parametrize(("files", "verdict"), [(0, "ok"), (10, "ok"), (11, "warn")])
def test_backlog(files, verdict):
    """Guards the limit of waiting files."""
    report = check_health(answering({}), None, LIMITS, environment="local", waiting_files=files)
    assert [c.verdict for c in report.checks if c.name == "landing_backlog"] == [verdict]


def test_files_that_could_not_be_read_are_named():
    """Guards against revenue that is missing in silence: each file with its reason, the first three of many."""
    files = {f"dbfs:/Volumes/c/bronze/files/{n}.json": "Permission denied" for n in "abcd"}
    for given, verdict in ((files, "warn"), ({}, "ok")):
        report = check_health(answering({}), None, LIMITS, environment="local", unreadable_files=given)
        check = next(c for c in report.checks if c.name == "files_readable")
        assert (check.verdict, check.value) == (verdict, len(given))
        assert ("a.json: Permission denied" in check.finding) is bool(given)
        assert ("1 more" in check.finding) is bool(given)


def _assert_commands_exist(next_step: str) -> None:
    """A next step that names a command names one that is there, with options that it has."""
    for part in next_step.replace(";", ",").split(","):
        words = shlex.split(part[part.index("orders ") :]) if "orders " in part else []
        if not words:
            continue
        command: click.Command | None = orders
        context = click.Context(orders)
        rest = words[1:]
        while isinstance(command, click.Group) and rest:
            command = command.get_command(context, rest.pop(0))
        assert command is not None, next_step
        known = {option for parameter in command.params for option in parameter.opts}
        if command.name not in ("build", "docs"):
            assert [word for word in rest if word.startswith("--") and word not in known] == [], next_step
