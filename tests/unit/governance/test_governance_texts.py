"""What description and code say about the same tables is the same."""

from __future__ import annotations

from pathlib import Path

import sqlglot

from dlt_ingest.governance import description
from dlt_ingest.governance import erasure_statements as statements
from dlt_ingest.governance.catalog_state import declared_keys, pipeline_keys
from dlt_ingest.governance.customer_records import CustomerId

PROJECT = Path(__file__).resolve().parents[3]
DELETIONS = (statements.bronze_deletion(), *statements.silver_deletions(), *statements.gold_deletions())


def test_statements_are_sql_and_each_parameter_has_its_value() -> None:
    """Guards the erasure: Databricks' parser takes each statement, and no id is in the text of one."""
    customer = CustomerId("a.b+C-1")
    for deletion in DELETIONS:
        for text in (deletion.statement, deletion.count):
            tree = sqlglot.parse_one(text, read="databricks")
            markers = {marker.name for marker in tree.find_all(sqlglot.exp.Placeholder)}
            assert markers == set(statements.parameters_of(text, customer)) != set()


def test_every_table_of_a_customer_is_tagged_and_erased() -> None:
    """Guards against a new table with customer ids that erasure or tags do not know; the build's own is checked apart."""
    tagged = {tag.table for tag in description.COLUMN_TAGS if tag.column == "customer_id"}
    assert tagged == {deletion.table for deletion in DELETIONS} | set(statements.VIEWS)


def test_keys_are_read_from_the_contracts() -> None:
    """Guards `governance check`: it must know the keys that dbt declares, or it would miss all of them."""
    keys = declared_keys(PROJECT / "dbt_project" / "models")
    assert keys["gold.fct_orders"] == ("order_id",)
    assert len(keys) > 10
    assert pipeline_keys(PROJECT / "dlt_ingest" / "transformations") == {"silver.customers": ("customer_id",)}
