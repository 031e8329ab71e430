"""`orders governance` on the built workspace: tags and comments are set once and then found; lineage is whole."""

from __future__ import annotations

import json
from typing import Any

from dlt_ingest.governance import description


def test_lineage_leads_from_files_to_postgres(built_workspace: Any) -> None:
    """Guards the way back from an exported figure: each node stands after all that it reads, files have their rows."""
    nodes = json.loads(
        built_workspace.run("governance", "lineage", "--to", "postgres_metrics", "--format", "json").stdout
    )
    names = {node["name"] for node in nodes}
    assert {"bronze.orders", "silver.orders", "gold.fct_daily_revenue", "gold.exp_business_metrics"} <= names
    assert "order_performance" not in names, "another exposure is not a part of this one"
    stages = {node["name"]: node["stage"] for node in nodes}
    assert all(stages[r] < node["stage"] for node in nodes for r in node["reads"] if r != node["name"])
    rows = {node["name"]: node["rows"] for node in nodes}
    assert sum(node["rows"] for node in nodes if node["kind"] == "file") == rows["bronze.orders"] > 6919
    assert built_workspace.run("governance", "lineage", "--to", "nothing", check=False).returncode == 2


def test_a_pipeline_table_shows_its_key(built_workspace: Any) -> None:
    """Guards the key of silver.customers: it is true, and readers find it where they look for keys."""
    [counted] = built_workspace.sql(
        "select count(*) as n, count(distinct customer_id) as customers from silver.customers"
    )
    assert counted["n"] == counted["customers"] > 2349
    shown = built_workspace.sql(
        "select constraint_name, constraint_type from ecommerce_local.information_schema.table_constraints "
        "where table_schema = 'silver'"
    )
    assert shown == [{"constraint_name": "customers_pk", "constraint_type": "PRIMARY KEY"}]
    described = built_workspace.run("sql", "DESCRIBE TABLE EXTENDED silver.customers").stdout
    assert "PRIMARY KEY (`customer_id`)" in described


def test_the_catalog_comes_to_show_what_is_described(built_workspace: Any) -> None:
    """Guards apply and check: drift is named and fixed, and a second apply has nothing to do.

    Tags and comments change no row, so the shared workspace stays as others see it.
    """
    assert built_workspace.run("governance", "check", check=False).returncode == 1
    built_workspace.run("governance", "apply")
    assert "0 of 0" in built_workspace.run("governance", "apply").stdout
    shown = built_workspace.sql(
        "select schema_name, table_name, tag_value from ecommerce_local.information_schema.column_tags "
        "where column_name = 'customer_id' and tag_name = 'pii'"
    )
    assert {(f"{r['schema_name']}.{r['table_name']}", r["tag_value"]) for r in shown} == {
        (table, "pseudonymous") for table in description.PSEUDONYMOUS_TABLES
    }
    built_workspace.run("sql", "ALTER SCHEMA bronze UNSET TAGS ('layer')")
    drifted = built_workspace.run("governance", "check", check=False)
    assert drifted.returncode == 1
    assert "schema bronze: tag layer = bronze" in drifted.stdout
    built_workspace.run("governance", "apply")
    assert "matches its description" in built_workspace.run("governance", "check").stdout
