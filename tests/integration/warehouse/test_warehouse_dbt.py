"""Guards dbt on the warehouse: the real adapter, every materialization, built twice with changed data, in both its ways."""

from __future__ import annotations

import datetime
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from .conftest import Dbt, RunningWarehouse, client_of

PROBE = Path(__file__).parent / "project"
DAYS = ("--event-time-start", "2024-01-01", "--event-time-end", "2024-01-04")


def _project(folder: Path, *, v2: bool) -> Path:
    shutil.copytree(PROBE, folder)
    if v2:
        settings = folder / "dbt_project.yml"
        settings.write_text(
            settings.read_text().replace("use_materialization_v2: false", "use_materialization_v2: true")
        )
    return folder


def _change_data(project: Path) -> None:
    seed = project / "seeds" / "raw_orders.csv"
    header, _, second, *rest = seed.read_text().splitlines()
    changed = second.replace("pending,20.00", "approved,22.00")
    assert changed != second
    seed.write_text("\n".join([header, changed, *rest, "5,c4,approved,1.00,2024-01-03 10:00:00,new"]) + "\n")


def _build_twice(warehouse: RunningWarehouse, project: Path, catalog: str) -> Dbt:
    dbt = Dbt(warehouse, project, catalog)
    with client_of(warehouse, catalog=catalog, schema="silver") as client:
        client.run("CREATE OR REPLACE TABLE events AS SELECT 1 AS id, current_timestamp() AS ingested_at")
    dbt.succeed(["debug"], ["build", *DAYS], later=False)
    _change_data(dbt.project)
    dbt.succeed(["build", *DAYS])
    return dbt


@pytest.fixture(scope="module")
def built(warehouse: RunningWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The probe project, built, its data changed, built again; dbt-databricks' first way to build."""
    project = _project(tmp_path_factory.mktemp("v1") / "project", v2=False)
    return _build_twice(warehouse, project, "ecommerce_local")


@pytest.fixture(scope="module")
def built_v2(warehouse: RunningWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The same by its second way (`use_materialization_v2`), in another catalog."""
    project = _project(tmp_path_factory.mktemp("v2") / "project", v2=True)
    return _build_twice(warehouse, project, "ecommerce_prod")


BOTH = pytest.mark.parametrize("way", ["built", "built_v2"])


@BOTH
def test_each_strategy_has_the_right_rows(request: pytest.FixtureRequest, way: str) -> None:
    """Guards rows after the second build: merge with a new column, append, overwrite, replace, microbatch."""
    built: Dbt = request.getfixturevalue(way)
    with client_of(built.warehouse, catalog=built.catalog) as client:
        assert client.rows("SELECT order_id, status, price, status_upper FROM inc_merge ORDER BY 1") == [
            (1, "approved", Decimal("10.50"), None),
            (2, "pending", Decimal("20.00"), None),
            (3, "returned", Decimal("5.25"), "RETURNED"),
            (4, "approved", Decimal("7.75"), "APPROVED"),
            (5, "approved", Decimal("1.00"), "APPROVED"),
        ]
        assert client.rows("SELECT order_id, count(*) AS n FROM inc_append GROUP BY 1 ORDER BY 1") == [
            (1, 1), (2, 2), (3, 2), (4, 2), (5, 1),
        ]  # fmt: skip
        assert client.rows("SELECT order_id FROM inc_overwrite ORDER BY 1") == [(1,), (2,), (3,), (4,)]
        assert client.rows(
            "SELECT order_id, price FROM inc_replace_where WHERE order_id IN (2, 5) ORDER BY 1"
        ) == [
            (2, Decimal("20.00")),
            (5, Decimal("1.00")),
        ]
        assert client.rows("SELECT * FROM inc_delete_insert ORDER BY order_id") == [
            ("c2", 2, Decimal("20.00")),
            ("c1", 3, Decimal("5.25")),
            ("c3", 4, Decimal("7.75")),
            ("c4", 5, Decimal("1.00")),
        ]
        assert client.rows("SELECT order_id, price FROM inc_microbatch ORDER BY 1") == [
            (2, Decimal("22.00")),
            (3, Decimal("5.25")),
            (4, Decimal("7.75")),
            (5, Decimal("1.00")),
        ]
        assert client.rows("SELECT * FROM customers WHERE customer_id = 'c2'") == [
            (
                "c2",
                1,
                Decimal("22.00"),
                datetime.datetime(2024, 1, 1, 9, 30, tzinfo=datetime.timezone.utc),
                "eur",
            )
        ]


@BOTH
def test_snapshots_keep_history(request: pytest.FixtureRequest, way: str) -> None:
    """Guards both snapshot strategies: a changed row gets a successor, a deleted one is closed or marked."""
    built: Dbt = request.getfixturevalue(way)
    with client_of(built.warehouse, catalog=built.catalog) as client:
        assert client.rows(
            "SELECT order_id, dbt_valid_to IS NULL AS open FROM orders_by_time"
            " WHERE order_id IN (1, 5) ORDER BY 1"
        ) == [
            (1, False),
            (5, True),
        ]
        query = (
            "SELECT order_id, status, dbt_is_deleted, dbt_valid_to IS NULL AS open FROM orders_by_check"
            " WHERE order_id < 3"
        )
        assert {row[:1] + row[1:2] + (str(row[2]).lower(), row[3]) for row in client.rows(query)} == {
            (1, "approved", "false", False),
            (1, "approved", "true", True),
            (2, "pending", "false", False),
            (2, "approved", "false", True),
        }


def test_contracts_docs_tags_and_grants_arrive(built: Dbt) -> None:
    """Guards what dbt says beside the rows: keys, checks, comments, tags, properties, grants, and docs generate."""
    built.succeed(["docs", "generate"], ["source", "freshness"])
    with client_of(built.warehouse, catalog=built.catalog) as client:
        constraints = client.rows(
            "SELECT constraint_name, constraint_type FROM information_schema.table_constraints"
            " WHERE table_schema = 'gold' ORDER BY 1"
        )
        assert ("customers_pk", "PRIMARY KEY") in constraints
        assert ("orders_customer_fk", "FOREIGN KEY") in constraints
        assert "CHECK" in {kind for _, kind in constraints}
        assert "DELTA_VIOLATE_CONSTRAINT" in client.error(
            "INSERT INTO orders_contract VALUES (9, 'c', -1, NULL)"
        )
        assert "NOT_NULL" in client.error("INSERT INTO orders_contract VALUES (NULL, 'c', 1, NULL)")
        assert client.rows(
            "SELECT tag_name, tag_value FROM information_schema.table_tags"
            " WHERE table_name = 'customers' AND schema_name = 'gold'"
        ) == [("layer", "gold")]
        assert client.rows(
            "SELECT tag_name FROM information_schema.column_tags"
            " WHERE table_name = 'customers' AND schema_name = 'gold'"
        ) == [("pii",)]
        assert [row[:2] for row in client.rows("SHOW GRANTS ON TABLE customers")] == [("readers", "SELECT")]
        assert ("quality", "gold") in client.rows("SHOW TBLPROPERTIES customers")
        assert client.rows("DESCRIBE TABLE customers")[0] == ("customer_id", "string", "Who ordered.")
        assert client.rows(
            "SELECT comment FROM information_schema.tables"
            " WHERE table_name = 'stg_orders' AND table_schema = 'gold'"
        ) == [('Orders as they came, one row per order; it\'s "raw".',)]
    nodes = json.loads((built.target / "catalog.json").read_text())["nodes"]
    assert nodes["model.warehouse_probe.customers"]["metadata"]["comment"] == "One row per customer."
    assert nodes["model.warehouse_probe.customers"]["columns"]["revenue"]["type"] == "decimal(18,2)"
    assert nodes["model.warehouse_probe.stg_orders"]["metadata"]["type"] == "view"


def test_failure_retry_full_refresh_and_clone(built: Dbt, tmp_path: Path) -> None:
    """Guards a broken contract that changes nothing, retry, full refresh, show, stored failures and clone."""
    model = built.project / "models" / "orders_contract.sql"
    good = model.read_text()
    model.write_text(
        good.replace("order_id, customer_id", "cast(order_id as string) as order_id, customer_id")
    )
    ((built_broken, text),) = built.run(["build", "-s", "customers+", "--exclude", "test_type:unit"])
    assert not built_broken
    assert "This model has an enforced contract that failed" in text
    with client_of(built.warehouse, catalog=built.catalog) as client:
        assert client.rows("SELECT count(*) AS n FROM orders_contract") == [(4,)]
    model.write_text(good)
    state = shutil.copytree(built.target, tmp_path / "state")
    outcomes = built.succeed(
        ["retry"],
        ["run", "--full-refresh", "-s", "inc_merge", "inc_overwrite"],
        ["show", "--inline", "select count(*) as n from {{ ref('customers') }}", "--output", "json"],
        ["clone", "--state", str(state), "--target", "defer"],
    )
    assert '"n": 4' in outcomes[2]
    with client_of(built.warehouse, catalog=built.catalog) as client:
        assert client.rows("SELECT count(*) AS n FROM inc_merge") == [(4,)]
        assert client.rows("SELECT count(*) AS n FROM dbt_test__audit.revenue_is_never_negative") == [(2,)]
        clone = (
            "SELECT (SELECT count(*) FROM gold_clone.customers) AS a, (SELECT count(*) FROM customers) AS b"
        )
        assert client.rows(clone) == [(4, 4)]
