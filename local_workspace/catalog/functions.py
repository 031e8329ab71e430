"""Functions made by SQL, and the row filters and column masks that are made of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from local_workspace.catalog.governance import timestamp
from local_workspace.catalog.names import Securable, TableName
from local_workspace.catalog.namespaces import Namespaces, times
from local_workspace.catalog.records import Function, Parameter, Policy
from local_workspace.catalog.table_files import settle
from local_workspace.errors import InputError, NotFound, NotSupported

_FUNCTIONS = (
    "SELECT o.*, f.definition, s.name AS schema_name, c.name AS catalog_name FROM functions f"
    " JOIN securables o ON o.id = f.id JOIN securables s ON s.id = o.parent_id JOIN securables c ON c.id = s.parent_id"
)


class Functions(Namespaces):
    """The part of the catalog that knows functions and what they hide; :class:`Catalog` adds the tables."""

    def put_function(self, function: Function, *, replace_existing: bool = False) -> None:
        """Record a function.

        Raises:
            InputError: It already exists and `replace_existing` is false, or its schema is missing.
        """
        name = function.name
        securable = Securable("FUNCTION", (name.catalog, name.schema, name.table))
        definition = {
            "parameters": [asdict(p) for p in function.parameters],
            "returns": function.returns,
            "columns": [asdict(c) for c in function.columns],
            "body": function.body,
            "written": function.written,
            "is_table": function.is_table,
            "characteristics": function.characteristics,
        }
        settle(self._store, self.layout)
        with self._store.write() as connection:
            row = self._find(connection, securable)
            if row is not None and not replace_existing:
                raise InputError(f"The {securable} already exists")
            key = self._insert(connection, securable, function.comment) if row is None else int(row["id"])
            connection.execute(
                "UPDATE securables SET altered_at = ?, comment = ? WHERE id = ?",
                (timestamp(), function.comment, key),
            )
            connection.execute(
                "INSERT OR REPLACE INTO functions VALUES (?, ?)", (key, json.dumps(definition))
            )

    def drop_function(self, name: TableName) -> None:
        """Forget a function.

        Raises:
            NotFound: There is none of that name.
        """
        securable = Securable("FUNCTION", (name.catalog, name.schema, name.table))
        with self._store.write() as connection:
            connection.execute("DELETE FROM securables WHERE id = ?", (self._require(connection, securable),))

    def function(self, name: TableName) -> Function | None:
        """Return the function of that name, or None."""
        with self._store.read() as connection:
            row = connection.execute(
                f"{_FUNCTIONS} WHERE c.key = ? AND s.key = ? AND o.key = ?", name.key
            ).fetchone()
        return None if row is None else _function(row)

    def functions(self, catalog: str, schema: str | None = None) -> list[Function]:
        """Return the functions of a catalog, or of one of its schemas, by name."""
        with self._store.read() as connection:
            rows = connection.execute(
                f"{_FUNCTIONS} WHERE c.key = ? AND (? IS NULL OR s.key = ?) ORDER BY s.key, o.key",
                (catalog.lower(), schema, (schema or "").lower()),
            ).fetchall()
        return [_function(row) for row in rows]

    def all_functions(self) -> Sequence[Function]:
        """Return the functions of all catalogs; where there is none, no statement need be looked through for calls."""
        return self._cache.get(
            "functions", lambda c: tuple(_function(row) for row in c.execute(f"{_FUNCTIONS} ORDER BY o.id"))
        )

    # -- row filters and column masks --------------------------------------------------------------

    def set_policy(self, table: TableName, policy: Policy) -> None:
        """Put a row filter, or a column's mask, in place of the one there is.

        Raises:
            NotFound: There is no such table or function.
        """
        of_function = Securable(
            "FUNCTION", (policy.function.catalog, policy.function.schema, policy.function.table)
        )
        with self._change(table) as (connection, key):
            self._require(connection, of_function)
            connection.execute(
                "INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?)",
                (
                    key,
                    policy.column.lower(),
                    policy.column,
                    json.dumps([policy.function.catalog, policy.function.schema, policy.function.table]),
                    json.dumps(policy.arguments),
                ),
            )

    def drop_policy(self, table: TableName, column: str = "") -> bool:
        """Take the mask off a column, or without one the row filter off the table; False if there was none."""
        with self._change(table) as (connection, key):
            done = connection.execute(
                "DELETE FROM policies WHERE id = ? AND column_key = ?", (key, column.lower())
            )
            return done.rowcount > 0

    def drop_policies(self, table: TableName) -> None:
        """Take everything off a table, as CREATE OR REPLACE does."""
        with self._change(table) as (connection, key):
            connection.execute("DELETE FROM policies WHERE id = ?", (key,))

    def policies(self, table: TableName) -> Sequence[Policy]:
        """Return the row filter, if there is one, and the masks of a table."""

        def read(connection: sqlite3.Connection) -> Sequence[Policy]:
            try:
                key = self._require(connection, table)
            except NotFound:
                return ()
            rows = connection.execute("SELECT * FROM policies WHERE id = ? ORDER BY column_key", (key,))
            return tuple(
                Policy(
                    TableName(*json.loads(row["function"])),
                    row["column_name"],
                    tuple(json.loads(row["arguments"])),
                )
                for row in rows
            )

        return self._cache.get(("policies", table.key), read)


def refuse_policies(catalog: Functions, table: TableName) -> None:
    """Keep readers of folders off a table that hides something: only the SQL warehouse applies what hides it.

    Raises:
        NotSupported: The table has a row filter or column masks.
    """
    if catalog.policies(table):
        raise NotSupported(
            f"reading {table}, which has a row filter or column masks, outside of the SQL warehouse",
            "Read it by SQL, or let the pipeline read the tables that it is made of",
        )


def _function(row: sqlite3.Row) -> Function:
    definition = json.loads(row["definition"])
    created_at, altered_at = times(row)
    return Function(
        TableName(row["catalog_name"], row["schema_name"], row["name"]),
        tuple(Parameter(**p) for p in definition["parameters"]),
        definition["returns"],
        tuple(Parameter(**c) for c in definition["columns"]),
        definition["body"],
        definition["written"],
        definition["is_table"],
        row["comment"],
        tuple(definition["characteristics"]),
        row["owner"],
        created_at,
        altered_at,
    )
