"""Guards what operators read, built by dbt in the local workspace: marts over the event log, and the record of dbt's runs.

One file, because `make test` runs the tests of a file in one process: these share the workspace and its first builds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from dlt_ingest.metrics.delivery_record import DeliveryRecord, merge_statement

from .conftest import TABLES_ONLY

BUILT_FROM_EVENTS = (
    "fct_pipeline_runs",
    "fct_dataset_runs",
    "fct_quality_rules",
    "fct_run_costs",
    "int_operations__updates_summarised",
    "int_operations__dataset_updates_summed",
    "int_operations__rule_results_summed",
    "int_operations__source_files_found",
)


def test_every_model_and_test_passes_on_a_first_build(first_build: Any) -> None:
    """Guards contracts, keys and relationships of the operations models, with nothing built before."""
    assert not first_build.failures(first_build.statuses)
    kinds = {name.split(".")[0] for name in first_build.statuses}
    assert {"model", "test", "seed"} <= kinds


def test_pipeline_runs_tell_what_became_of_each_update(second_build: Any) -> None:
    """Guards the figures that the health check, the dashboard and Postgres show per update."""
    columns = (
        "update_id",
        "run_id",
        "run_status",
        "files_read",
        "bytes_read",
        "rows_in",
        "rows_out",
        "rows_dropped",
    )
    assert second_build.rows("fct_pipeline_runs", *columns, "quality_rate", "is_validate_only") == [
        ("u1", "run_u1", "succeeded", 1, 12_345, 100, 97, 3, Decimal("0.970000"), False),
        ("u2", "run_u2", "failed", 1, None, 10, 0, 0, None, False),
        ("u3", "run_u3", "succeeded", 1, None, 50, 60, 0, Decimal("1.000000"), False),
        ("u4", None, "succeeded", 0, None, 0, 0, 0, None, True),
        ("u5", "run_u5", "succeeded", 0, None, 5, 165, 0, Decimal("1.000000"), False),
    ]


def test_a_named_dataset_is_the_only_one_fully_refreshed(second_build: Any) -> None:
    """Guards the kind of refresh per dataset: a full refresh of one must not be told of the others."""
    assert second_build.rows("fct_dataset_runs", "dataset", "refresh_kind", where="update_id = 'u5'") == [
        ("bronze.orders", "incremental"),
        ("silver.orders", "full_refresh"),
    ]


def test_quality_rules_add_up_micro_batches(second_build: Any) -> None:
    """Guards passed and failed per rule: the counts of all events of the update, each once."""
    columns = ("update_id", "rule_name", "passed_records", "failed_records")
    assert second_build.rows("fct_quality_rules", *columns, where="update_id in ('u1', 'u3')") == [
        ("u1", "id_present", 99, 1),
        ("u1", "price_positive", 97, 3),
        ("u3", "id_present", 60, 0),
        ("u3", "price_positive", 60, 0),
    ]


def test_lineage_leads_from_a_file_to_the_dashboards_and_to_postgres(second_build: Any) -> None:
    """Guards the whole path: an edge whose ends are spelt in two ways would break it between DLT and dbt."""
    readers: dict[str, set[str]] = defaultdict(set)
    for from_name, to_name in second_build.rows("fct_lineage", "from_name", "to_name"):
        readers[from_name].add(to_name)
    file = next(name for name in readers if name.endswith("orders_1.json"))
    reached, waiting = set(), [file]
    while waiting:
        for reader in readers[waiting.pop()] - reached:
            reached.add(reader)
            waiting.append(reader)
    assert {"bronze.orders", "silver.orders", "gold.fct_orders", "gold.fct_pipeline_runs"} <= reached
    assert {"order_performance", "pipeline_monitoring", "postgres_metrics"} <= reached


def test_an_incremental_build_equals_a_full_one(second_build: Any) -> None:
    """Guards the incremental models against an update that was met halfway, and against what came late."""
    incremental = {table: second_build.rows(table) for table in BUILT_FROM_EVENTS}
    assert not second_build.failures(second_build.build("--full-refresh", *TABLES_ONLY, command="run"))
    assert {table: second_build.rows(table) for table in BUILT_FROM_EVENTS} == incremental
    assert all(incremental.values())


def test_costs_come_from_the_billing_tables_where_there_are_some(second_build: Any) -> None:
    """Guards the Databricks side of fct_run_costs: the same models over tables of the shape of system.billing."""
    assert set(second_build.rows("fct_run_costs", "cost_status", "list_cost_usd")) == {
        ("not_applicable", None)
    }
    second_build.sql.execute(
        """
        create table billing.usage using delta as
        select
            record_id, 'JOBS' as sku_name, 'AWS' as cloud, 'DBU' as usage_unit,
            cast(quantity as decimal(38, 18)) as usage_quantity,
            timestamp'2026-01-01 01:00:00' as usage_start_time, timestamp'2026-01-01 02:00:00' as usage_end_time,
            named_struct('dlt_pipeline_id', pipeline_id, 'dlt_update_id', update_id) as usage_metadata
        from (
            select 'r1' as record_id, 2.0 as quantity, 'p1' as pipeline_id, 'u1' as update_id
            union all select 'r2', -0.5, 'p1', 'u1'
            union all select 'r3', 9.0, cast(null as string), cast(null as string)
        )
        """
    )
    second_build.sql.execute(
        """
        create table billing.list_prices using delta as
        select
            'JOBS' as sku_name, 'AWS' as cloud, 'DBU' as usage_unit, currency_code, price_start_time, price_end_time,
            named_struct('effective_list', named_struct('default', cast(price as decimal(38, 18)))) as pricing
        from (
            select 'USD' as currency_code, 0.5 as price, timestamp'2025-01-01 00:00:00' as price_start_time,
                timestamp'2026-01-01 02:00:00' as price_end_time
            union all
            select 'USD', 0.7, timestamp'2026-01-01 02:00:00', cast(null as timestamp)
            union all
            select 'EUR', 0.6, timestamp'2026-01-01 02:00:00', cast(null as timestamp)
        )
        """
    )
    select = (
        "staging.billing int_operations__usage_priced fct_run_costs assert_run_costs_have_one_row_per_update"
    )
    billed = second_build.build(select=select, ORDERS_BILLING_CATALOG="ecommerce_local")
    assert not second_build.failures(billed)
    assert second_build.rows("fct_run_costs", "update_id", "cost_status", "usage_dbu", "list_cost_usd") == [
        ("u1", "billed", Decimal("1.500000"), Decimal("1.050000")),
        *((update, "pending", None, None) for update in ("u2", "u3", "u4", "u5")),
    ]


def test_described_columns_are_the_columns(second_build: Any) -> None:
    """Guards the documentation below the marts, where no contract compares it with the SQL."""
    manifest = json.loads((second_build.target / "manifest.json").read_text())
    described = {
        node["name"]: list(node["columns"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["path"].startswith(
            (
                "staging/event_log",
                "staging/dbt",
                "staging/billing",
                "intermediate/operations",
                "marts/operations",
            )
        )
    }
    built = {
        name: second_build.sql.query_arrow(f"select * from gold.{name} limit 0").schema.names
        for name in described
    }
    assert built == described


def test_exports_tell_how_long_their_rows_waited(second_build: Any) -> None:
    """Guards the record of exports: one row per model and run, waiting from the first failure to the next delivery."""
    began = datetime.now(timezone.utc) - timedelta(minutes=90)

    def record(run: str, minute: int, outcome: Any, letters: int | None = None) -> None:
        at = began + timedelta(minutes=minute)
        delivery = DeliveryRecord("exp_days", run, outcome, at, rows_read=3, open_dead_letters=letters)
        for _ in range(2):
            # A client that got no answer sends the statement again.
            second_build.sql.execute(merge_statement("ops.export_deliveries", [delivery]))

    def waited() -> list[tuple[Any, ...]]:
        return second_build.rows(
            "fct_export_deliveries", "run_id", "outcome", "lag_minutes", "open_dead_letters",
            where="model_name = 'exp_days'",
        )  # fmt: skip

    record("a", 0, "delivered", 0)
    record("b", 10, "undelivered")
    record("c", 20, "not_built")
    assert waited() == [
        ("a", "delivered", 0, 0),
        ("b", "undelivered", 80, None),
        ("c", "not_built", 70, None),
    ]
    # Run c is tried again and delivers: its own rows waited since it first was, those of b a little longer.
    record("c", 50, "delivered", 2)
    assert waited() == [
        ("a", "delivered", 0, 0),
        ("b", "undelivered", 40, None),
        ("c", "delivered", 30, 2),
    ]
    # A replay under the same run: nothing waited for it.
    record("c", 60, "delivered", 0)
    assert waited()[2] == ("c", "delivered", 0, 0)


def _recorded(operations: Any, invocation: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = operations.sql.query(
        f"select * from ops.dbt_run_results where invocation_id = '{invocation}'"
    )
    return rows


def _latest(operations: Any) -> str:
    found = operations.sql.query(
        "select max_by(invocation_id, invocation_started_at) as id from ops.dbt_run_results"
    )
    return str(found[0]["id"])


def test_one_row_per_node_of_the_first_build(first_build: Any) -> None:
    """Guards that the very first build is recorded whole: the table is made before it, by on-run-start."""
    rows = first_build.sql.query(
        "select node_id, node_status, row_count, run_id from gold.stg_dbt__run_results where run_id = 'first'"
    )
    assert sorted(row["node_id"] for row in rows) == sorted(first_build.statuses)
    assert {row["node_status"] for row in rows} == {"succeeded"}
    counted = {row["node_id"]: row["row_count"] for row in rows}
    assert counted["model.orders.fct_pipeline_runs"] == 3
    assert counted["model.orders.fct_freshness"] is None


def test_a_failed_test_is_recorded_and_doubles_nothing(second_build: Any) -> None:
    """Guards the record under failure, and that a statement which the client sends again leaves the same rows."""
    # An event of no update: it breaks the key of the source, and touches no mart.
    nobody = "struct<pipeline_id: string, pipeline_name: string, update_id: string, flow_name: string, dataset_name: string>"
    second_build.sql.execute(
        f"""
        insert into ops.event_log
        select
            'twice', sequence, cast(null as {nobody}), timestamp, message, level, maturity_level, error, details,
            'maintenance'
        from (select *, explode(array(1, 2)) as n from ops.event_log where id = 'u1-0')
        """
    )
    statuses = second_build.build(select="source:ops.event_log", command="test")
    assert "fail" in statuses.values()
    invocation = _latest(second_build)
    rows = _recorded(second_build, invocation)
    assert sorted(row["node_id"] for row in rows) == sorted(statuses)
    failed = next(row for row in rows if row["status"] == "fail")
    assert failed["failures"] == 1
    inserted = [statement for statement in second_build.statements if "insert into" in statement]
    assert inserted
    for statement in inserted:
        second_build.sql.execute(statement)
    assert len(_recorded(second_build, invocation)) == len(rows)
    runs = second_build.rows(
        "fct_dbt_runs", "command", "run_status", "tests_failed", where=f"invocation_id = '{invocation}'"
    )
    assert runs == [("test", "failed", 1)]


def test_column_rules_say_what_broke(second_build: Any) -> None:
    """Guards the words of a test of many rules: rule, column, value and rows are printed; what is recorded has no value."""
    name = "column_rules_order_statuses"
    second_build.dbt("seed", "--select", "order_statuses")
    second_build.sql.execute(
        "update gold.order_statuses set lifecycle_rank = 77, counts_as_gross = null where status in ('pending', 'returned')"
    )
    outcome = second_build.dbt("test", "--select", name)
    told = [text for level, text in outcome.messages if text.startswith(f"{name}: ")]
    assert told == [
        f"{name}: not_null: counts_as_gross in 2 rows, for example that of key pending",
        f"{name}: unique: lifecycle_rank = 77 in 2 rows",
    ]
    (row,) = _recorded(second_build, _latest(second_build))
    assert row["message"].startswith("not_null of counts_as_gross; unique of lifecycle_rank. Got 2 results")


def test_messages_carry_no_secret(operations: Any) -> None:
    """Guards the message column: an error text that quotes a token, a password or a URI with one is scrubbed."""
    token = operations.environment["ORDERS_WAREHOUSE_TOKEN"]
    message = (
        f"refused {token}: postgresql://metrics:pa55word@db.example.com/metrics password=hunter2 "
        "Authorization: Bearer abc.def dapi0123456789abcdef token: t0k3n it's a \\ backslash"
    )
    quoted = message.replace("\\", "\\\\").replace("'", "\\'")
    compiled = operations.dbt("compile", "--inline", "{{ _scrubbed('" + quoted + "') }}").compiled
    (scrubbed,) = compiled.values()
    for secret in (token, "pa55word", "hunter2", "abc.def", "dapi0123456789abcdef", "t0k3n"):
        assert secret not in scrubbed
    assert "db.example.com/metrics" in scrubbed
    assert "it's a \\ backslash" in scrubbed


def test_an_empty_build_is_not_recorded(first_build: Any) -> None:
    """Guards history and freshness against `--empty`, which builds tables without rows to prove the code."""
    before = first_build.sql.query("select count(*) as n from ops.dbt_run_results")
    assert not first_build.failures(first_build.build("--empty", select="fct_run_costs", command="run"))
    assert first_build.sql.query("select count(*) as n from ops.dbt_run_results") == before
