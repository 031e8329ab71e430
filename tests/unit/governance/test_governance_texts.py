"""What documentation, description and code say about the same tables is the same."""

from __future__ import annotations

from pathlib import Path

import sqlglot

from dlt_ingest.governance import description
from dlt_ingest.governance import erasure_statements as statements
from dlt_ingest.governance.catalog_state import declared_keys
from dlt_ingest.governance.customer_records import CustomerId

PROJECT = Path(__file__).resolve().parents[3]
DELETIONS = (statements.bronze_deletion(), *statements.silver_deletions(), *statements.gold_deletions())


def test_the_documented_job_has_the_statements_of_the_command_in_their_order() -> None:
    """Guards against a job on Databricks that leaves out a table which the local command cleans."""
    page = " ".join((PROJECT / "docs/operations/erase-customer.md").read_text(encoding="utf-8").split())
    places = [page.find(" ".join(f"{deletion.statement};".split())) for deletion in DELETIONS]
    assert -1 not in places, [d.table for d, at in zip(DELETIONS, places, strict=True) if at < 0]
    assert places == sorted(places)
    assert " ".join(("dbt", *statements.DBT_ARGUMENTS)) in page
    vacuumed = (*(deletion.table for deletion in DELETIONS), *statements.VIEWS)
    assert not [table for table in vacuumed if f"VACUUM {table};" not in page]


def test_statements_are_sql_and_hold_no_parameter_once_bound() -> None:
    """Guards the binding: Databricks' parser takes each statement, with the id as a literal."""
    customer = CustomerId("a.b+C-1")
    for deletion in DELETIONS:
        for text in (deletion.delete(customer), deletion.count(customer)):
            assert ":customer" not in text
            sqlglot.parse_one(text, read="databricks")


def test_every_table_of_a_customer_is_tagged_and_erased() -> None:
    """Guards against a new table with customer ids that erasure or tags do not know; the build's own is checked apart."""
    tagged = {tag.table for tag in description.COLUMN_TAGS if tag.column == "customer_id"}
    assert tagged == {deletion.table for deletion in DELETIONS} | set(statements.VIEWS)


def test_keys_are_read_from_the_contracts() -> None:
    """Guards `governance check`: it must know the keys that dbt declares, or it would miss all of them."""
    keys = declared_keys(PROJECT / "dbt_project" / "models")
    assert keys["gold.fct_orders"] == ("order_id",)
    assert len(keys) > 10
