"""The Grafana dashboards: their files agree with each other, and every panel's SQL runs over exported metrics."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from export_fixtures import Database, row

from dlt_ingest.metrics.postgres import ExportSpec

FOLDER = Path(__file__).resolve().parents[3] / "dashboards" / "grafana"
BOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
BEGAN = datetime(2024, 1, 2, 3, 4, tzinfo=timezone.utc)
PIPELINE = pa.schema(
    [
        (name, pa.string())
        for name in ("update_id", "dataset", "rule_name", "metric_name", "run_id", "pipeline_name", "unit")
    ]
    + [("metric_value", pa.decimal128(24, 6)), ("started_at", pa.timestamp("us", "UTC"))]
)
MOMENT = pa.timestamp("us", "UTC")
NODES = pa.schema(
    [
        (name, pa.string())
        for name in (
            "invocation_id",
            "node_id",
            "run_id",
            "command",
            "node_name",
            "resource_type",
            "node_status",
        )
    ]
    + [("execution_seconds", pa.decimal128(18, 3)), ("failures", pa.int64())]
    + [("started_at", MOMENT), ("recorded_at", MOMENT)]
)
LOADS = pa.schema(
    [(name, pa.string()) for name in ("dataset", "run_id", "produced_by", "measured_by")]
    + [("sla_minutes", pa.int64()), ("last_loaded_at", MOMENT), ("last_refreshed_at", MOMENT)]
)
BUSINESS = {
    "gross_revenue": "110.00", "refunded_revenue": "10.00", "net_revenue": "100.00", "average_order_value": "20.00",
    "baseline_revenue": "40.00", "revenue_anomaly": "1", "orders": "9", "pending_orders": "1", "approved_orders": "2",
    "fulfilled_orders": "3", "cancelled_orders": "2", "returned_orders": "1", "items_sold": "12", "customers": "8",
    "new_customers": "4",
}  # fmt: skip
METRICS: dict[tuple[str, str], dict[str, str]] = {
    ("", ""): {
        "succeeded": "1", "is_full_refresh": "0", "rows_in": "10", "rows_out": "9", "rows_dropped": "1", "files_read": "2",
        "errors": "0", "duration_seconds": "1.5", "quality_rate": "0.9",
    },
    ("silver.orders", ""): {"rows_in": "10", "rows_written": "9", "rows_dropped": "1", "backlog_files": "0"},
    ("silver.orders", "price_positive"): {"checked_records": "10", "failed_records": "1", "pass_rate": "0.9"},
}  # fmt: skip


def panels(board: Path) -> list[dict[str, Any]]:
    return json.loads(board.read_text(encoding="utf-8"))["panels"]


def expanded(statement: str) -> str:
    """Replace Grafana's time macro by what Grafana makes of it; another macro would be left over and fail."""
    begin, end = (BEGAN + timedelta(days=days) for days in (-30, 30))
    return re.sub(
        r"\$__timeFilter\(([^)]+)\)",
        lambda found: f"{found[1]} BETWEEN '{begin:%Y-%m-%dT%H:%M:%SZ}' AND '{end:%Y-%m-%dT%H:%M:%SZ}'",
        statement,
    )


def fill(database: Database) -> None:
    database.export(
        [row(day, name, value) for day in range(3) for name, value in BUSINESS.items()], run_id="run-1"
    )
    rows = [
        {
            "update_id": "u1", "dataset": dataset, "rule_name": rule, "metric_name": name, "run_id": "run-1",
            "pipeline_name": "orders", "unit": "x", "metric_value": Decimal(value).quantize(Decimal("0.000001")),
            "started_at": BEGAN,
        }
        for (dataset, rule), metrics in METRICS.items()
        for name, value in metrics.items()
    ]  # fmt: skip
    spec = ExportSpec("exp_pipeline_metrics", ("update_id", "dataset", "rule_name", "metric_name"))
    database.export_batches([pa.RecordBatch.from_pylist(rows, schema=PIPELINE)], spec, run_id="run-1")
    nodes = [
        {
            "invocation_id": "i1", "node_id": name, "run_id": "run-1", "command": "build", "node_name": name,
            "resource_type": kind, "node_status": status, "execution_seconds": Decimal(seconds), "failures": failures,
            "started_at": BEGAN, "recorded_at": BEGAN + timedelta(seconds=40),
        }
        for name, kind, status, seconds, failures in (
            ("fct_orders", "model", "succeeded", "12.500", None),
            ("fct_days", "model", "skipped", "0.000", None),
            ("not_null_fct_orders_order_id", "test", "failed", "0.250", 7),
        )
    ]  # fmt: skip
    spec = ExportSpec("exp_dbt_metrics", ("invocation_id", "node_id"), when="run_end", since="recorded_at")
    database.export_batches([pa.RecordBatch.from_pylist(nodes, schema=NODES)], spec, run_id="run-1")
    now = datetime.now(timezone.utc)
    loads = [
        {
            "dataset": dataset, "run_id": run, "produced_by": "pipeline", "measured_by": measured_by, "sla_minutes": sla,
            "last_loaded_at": now - timedelta(minutes=loaded) if loaded is not None else None,
            "last_refreshed_at": now - timedelta(minutes=refreshed) if refreshed is not None else None,
        }
        for dataset, run, measured_by, sla, loaded, refreshed in (
            # The newest run refreshed it without rows: of its rows, those of the run before are the newest.
            ("bronze.orders", "run-0", "loaded", 60, 90, 90),
            ("bronze.orders", "run-1", "loaded", 60, None, 5),
            ("silver.orders", "run-1", "refreshed", 60, 5, 5),
            ("silver.customers", "", "refreshed", 60, None, None),
            ("gold.fct_days", "run-1", "refreshed", None, 5, 5),
        )
    ]  # fmt: skip
    spec = ExportSpec("exp_freshness_metrics", ("dataset", "run_id"), when="run_end")
    database.export_batches([pa.RecordBatch.from_pylist(loads, schema=LOADS)], spec, run_id="run-1")


def test_every_panel_has_an_answer_for_a_reader(database: Database) -> None:
    """Guards the SQL of all panels: it runs with a reader's rights, gives rows, and the figures are right."""
    fill(database)
    answers: dict[str, list[tuple[Any, ...]]] = {}
    for board in BOARDS:
        for panel in panels(board):
            (target,) = panel["targets"]
            rows = database.sql(f"set role metrics_reader; {expanded(target['rawSql'])}")
            assert rows, f"{board.name}, panel {panel['title']}: no rows"
            answers[panel["title"]] = rows
    assert answers["Net revenue"] == [(Decimal("300.00"),)]
    assert answers["Average order value"] == [(Decimal("20.00"),)]
    assert answers["Refunded share of revenue"] == [(Decimal("0.0909"),)]
    assert [orders for _, orders in answers["From order to revenue"]] == [27, 18, 12, 9]
    assert [day[1] for day in answers["Unusual days"]] == ["high"] * 3
    assert answers["Quality rate"] == [(Decimal("0.900000"),)]
    assert answers["Failed records by rule"] == [("price_positive", 1)]
    assert answers["Dead letters"] == [(0,)]
    assert [(table, rows) for table, _, rows, *_ in answers["Exports"]] == [
        ("exp_business_metrics", 45),
        ("exp_dbt_metrics", 3),
        ("exp_freshness_metrics", 5),
        ("exp_pipeline_metrics", 16),
    ]
    assert answers["Failed dbt nodes"] == [(1,)]
    assert answers["Slowest dbt nodes"][0] == ("fct_orders", Decimal("12.500"))
    assert [row[2:] for row in answers["dbt nodes that did not succeed"]] == [
        ("not_null_fct_orders_order_id", "test", "failed", 7),
        ("fct_days", "model", "skipped", None),
    ]
    assert [value for *_, value in answers["Duration of dbt invocations"]] == [40]
    assert answers["Stale datasets"] == [(2,)]
    assert [row[:2] for row in answers["Freshness"]] == [
        ("silver.customers", "never loaded"),
        ("bronze.orders", "stale"),
        ("silver.orders", "fresh"),
    ]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_can_be_read(board: Path) -> None:
    """Guards what a person sees: each panel says what it shows, none covers another, units are set."""
    content = json.loads(board.read_text(encoding="utf-8"))
    assert content["uid"]
    assert content["time"]["from"].startswith("now-")
    taken: set[tuple[int, int]] = set()
    for panel in content["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"panel {panel['title']} covers another one"
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] == "timeseries":
            statement = panel["targets"][0]["rawSql"]
            assert " as time" in statement
            assert "$__timeFilter" in statement
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])


def test_provisioning_names_what_the_dashboards_use_and_holds_no_secret() -> None:
    """Guards the deployment by files: one data source, its uid everywhere, every value from the environment."""
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/metrics.yaml").read_text())["datasources"]
    for board in BOARDS:
        for panel in panels(board):
            used = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert used == [{"type": source["type"], "uid": source["uid"]}] * 2
    variable = re.compile(r"(\$\{[A-Z_]+\}:?)+$")
    values = [
        source["url"],
        source["user"],
        source["jsonData"]["database"],
        source["secureJsonData"]["password"],
    ]
    assert [value for value in values if not variable.match(value)] == []
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/orders.yaml").read_text())["providers"]
    assert variable.match(provider["options"]["path"])
    documented = (FOLDER / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\$\{([A-Z_]+)\}", (FOLDER / "provisioning/datasources/metrics.yaml").read_text())
    assert [name for name in named if name not in documented] == []
