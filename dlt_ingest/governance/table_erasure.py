"""One customer out of the tables, by SQL: the part of an erasure that is the same here and on Databricks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dlt_ingest.governance import erasure_statements as statements
from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.sql_client import Queries

Deletions = tuple[statements.Deletion, ...]


@dataclass(frozen=True)
class TableErasure:
    """The tables of one catalog that hold records of a customer. A table that is not there yet is omitted.

    Attributes:
        queries: The warehouse; unqualified names resolve in the catalog.
        catalog: The catalog.
        customer: The customer to erase.
    """

    queries: Queries
    catalog: str
    customer: CustomerId

    @cached_property
    def bronze(self) -> Deletions:
        """Bronze, with the columns that schema evolution has added."""
        known = {*statements.FREE_TEXT, "customer_id", "source_file", "batch_id"}
        found = self._columns("table_schema = 'bronze' AND table_name = 'orders' AND data_type = 'STRING'")
        evolved = [
            "`" + row["column_name"].replace("`", "``") + "`"
            for row in found
            if row["column_name"] not in known
        ]
        return self._existing((statements.bronze_deletion(evolved),))

    @cached_property
    def silver(self) -> Deletions:
        """The streaming tables of Silver."""
        return self._existing(statements.silver_deletions())

    @cached_property
    def gold(self) -> Deletions:
        """The tables of Gold: those of this project, and every other one that has a customer id."""
        found = [
            row["table_name"]
            for row in self._columns("table_schema = 'gold' AND column_name = 'customer_id'")
        ]
        others = [name for name in found if name not in statements.GOLD_TABLES]
        return self._existing(statements.gold_deletions([*statements.GOLD_TABLES, *others]))

    def count(self) -> dict[str, int]:
        """Return rows of the customer by table; nothing is changed."""
        return {
            deletion.table: self._query(deletion.count)[0]["n"]
            for deletion in (*self.bronze, *self.silver, *self.gold)
        }

    def delete(self, deletions: Deletions) -> None:
        """Delete the customer's rows; a second time there are none left."""
        for deletion in deletions:
            self._query(deletion.statement)

    def silver_has_all_of_bronze(self) -> bool:
        """Return whether Bronze and Silver agree, after both were cleaned.

        Silver has not the columns that schema evolution added to Bronze, so a record that names the customer only there
        is found by what is missing.
        """
        rows = self.queries.query(statements.BRONZE_AGAINST_SILVER)[0]
        return bool(rows["bronze"] == rows["silver"])

    def forget_versions(self) -> None:
        """Write files with deleted rows again, and remove those that no version within the retention needs.

        What younger versions need stays until its retention has passed; then the same call removes it.
        """
        ours = [table for table in statements.PIPELINE_TABLES if table in self._tables]
        marts = [deletion.table for deletion in self.gold]
        for table in (*ours, *marts):
            self.queries.query(statements.purge(table))
        for table in marts:
            self.queries.query(statements.vacuum(table))

    def _query(self, statement: str) -> list[dict[str, Any]]:
        return self.queries.query(statement, statements.parameters_of(statement, self.customer))

    @cached_property
    def _tables(self) -> frozenset[str]:
        rows = self.queries.query(
            f"SELECT table_schema, table_name FROM {self.catalog}.information_schema.tables WHERE table_type <> 'VIEW'"
        )
        return frozenset(f"{row['table_schema']}.{row['table_name']}" for row in rows)

    def _columns(self, condition: str) -> list[dict[str, Any]]:
        return self.queries.query(
            "SELECT table_schema, table_name, column_name "
            f"FROM {self.catalog}.information_schema.columns WHERE {condition} ORDER BY 1, 2, 3"
        )

    def _existing(self, deletions: Deletions) -> Deletions:
        return tuple(deletion for deletion in deletions if deletion.table in self._tables)
