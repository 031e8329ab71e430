"""The catalog: which catalogs, schemas, tables, views and volumes there are, and where their data is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from local_workspace.catalog.delta_schema import read_columns
from local_workspace.catalog.functions import Functions
from local_workspace.catalog.governance import put_column_comments, put_properties, timestamp
from local_workspace.catalog.names import Securable, TableName
from local_workspace.catalog.namespaces import times
from local_workspace.catalog.records import TABLE_KINDS, VIEW_KINDS, Anomaly, Column, Table
from local_workspace.catalog.store import Store
from local_workspace.catalog.table_files import (
    empty_trash,
    note_rename,
    rescan,
    settle,
    stored_path,
)
from local_workspace.errors import DataFault, InputError, NotFound
from local_workspace.layout import WorkspaceLayout

T = TypeVar("T")

_TABLES = (
    "SELECT o.*, t.kind, t.location, t.managed, t.view_sql, s.name AS schema_name, c.name AS catalog_name"
    " FROM securables o JOIN tables t ON t.id = o.id JOIN securables s ON s.id = o.parent_id"
    " JOIN securables c ON c.id = s.parent_id"
)


class Catalog(Functions):
    """The catalog of one workspace; open it with :meth:`open`.

    Any number of processes and threads may use one workspace's catalog at the same time. Names are compared
    without regard to case and keep the case in which they were first given.
    """

    @classmethod
    def open(cls, layout: WorkspaceLayout) -> Catalog:
        """Open or create the catalog of a workspace, and finish what a killed process left open.

        Raises:
            ConfigurationError: The folder or the file cannot be opened.
            DataFault: The file is damaged.
        """
        layout.create()
        catalog = cls(Store(layout.catalog_file), layout)
        settle(catalog._store, layout)
        empty_trash(layout)
        return catalog

    def close(self) -> None:
        """Close the connections of all threads."""
        self._store.close()

    def revision(self) -> int:
        """Return a number that is different after every committed change, by whichever process."""
        return self._store.revision()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything that this thread reads inside see one state, while others drop and create tables.

        For listings, which ask for the tables first and for each one's details after. The folder of a table
        that is dropped meanwhile is gone nevertheless. Nothing can be written inside.
        """
        settle(self._store, self.layout)
        with self._store.read():
            yield

    def once(self, asked: Hashable, read: Callable[[], T]) -> T:
        """Return what a function reads of the catalog alone, reading it once for each revision.

        Args:
            asked: What is read.
            read: Reads it, of one moment. Nobody may change what it gives.
        """
        return self._cache.get(("once", asked), lambda _: read())

    def rescan(self) -> list[Anomaly]:
        """Report folders without a table, tables without a folder and leftovers of drops; change nothing."""
        return rescan(self._store, self.layout)

    # -- tables and views --------------------------------------------------------------------------

    def put_table(
        self,
        name: TableName,
        *,
        kind: str,
        location: Path | None,
        view_sql: str | None = None,
        columns: Sequence[Column] | None = None,
        comment: str | None = None,
        properties: Mapping[str, str | None] | None = None,
        column_comments: Mapping[str, str | None] | None = None,
        replace_existing: bool = False,
    ) -> Table:
        """Record a table or view, new or newly defined. Call it after the data is in place.

        What is left None stays as recorded. Tags and grants stay in any case.

        Args:
            name: Its schema must exist.
            kind: `TABLE`, `VIEW`, `STREAMING_TABLE` or `MATERIALIZED_VIEW`.
            location: The folder of the Delta table; None for a view. The table is managed, so that its
            files go with it, if this is
                :meth:`WorkspaceLayout.table_path` of its name.
            view_sql: The query of a view.
            columns: The columns of a view, which has no log to read them from. Ignored for the other kinds.
            comment: The comment; an empty text removes it.
            properties: Merged into those recorded; None as a value removes one.
            column_comments: As `properties`.
            replace_existing: Forget comment, column comments, properties and constraints first, as CREATE
            OR REPLACE does.

        Raises:
            InputError: The kind is unknown, the schema is missing, the location does not fit the kind, or
            the name belongs to a table
                where a view is put, or to a view where a table is put.
        """
        if kind not in TABLE_KINDS:
            raise InputError("This is not a kind of table", got=kind, allowed=", ".join(TABLE_KINDS))
        if (kind in VIEW_KINDS) != (location is None):
            raise InputError(
                "A view has no folder and every other kind has one",
                got=f"{kind} {name} with location {location}",
            )
        stored = None if location is None else stored_path(self.layout, location)
        managed = location == self.layout.table_path(*name.key)
        settle(self._store, self.layout)
        with self._store.write() as connection:
            row = self._find(connection, Securable.of(name))
            if row is None:
                key = self._insert(connection, Securable.of(name), None)
                connection.execute(
                    "INSERT INTO tables VALUES (?, ?, ?, ?, ?)", (key, kind, stored, managed, view_sql)
                )
            else:
                key = row["id"]
                former = connection.execute("SELECT kind FROM tables WHERE id = ?", (key,)).fetchone()["kind"]
                if (former in VIEW_KINDS) != (kind in VIEW_KINDS):
                    raise InputError(
                        f"{name} is a {former.lower()}, so no {kind.lower()} of that name can be created",
                        next_step=f"Drop the {former.lower()} {name} first",
                    )
                if replace_existing:
                    for part in ("properties", "column_comments", "constraints", "policies"):
                        connection.execute(f"DELETE FROM {part} WHERE id = ?", (key,))
                    connection.execute("UPDATE securables SET comment = NULL WHERE id = ?", (key,))
                connection.execute(
                    "UPDATE tables SET kind = ?, location = ?, managed = ?, view_sql = coalesce(?, view_sql)"
                    " WHERE id = ?",
                    (kind, stored, managed, view_sql, key),
                )
                connection.execute("UPDATE securables SET altered_at = ? WHERE id = ?", (timestamp(), key))
            if comment is not None:
                connection.execute("UPDATE securables SET comment = ? WHERE id = ?", (comment or None, key))
            put_properties(connection, key, properties or {})
            put_column_comments(connection, key, column_comments or {})
            if columns is not None and kind in VIEW_KINDS:
                connection.execute("DELETE FROM view_columns WHERE id = ?", (key,))
                connection.executemany(
                    "INSERT INTO view_columns VALUES (?, ?, ?, ?, ?)",
                    [(key, at, c.name, c.data_type, c.nullable) for at, c in enumerate(columns)],
                )
            return self._table(connection, connection.execute(f"{_TABLES} WHERE o.id = ?", (key,)).fetchone())

    def get(self, name: TableName) -> Table | None:
        """Return the table or view of that name, or None."""

        def read(connection: sqlite3.Connection) -> Table | None:
            row = connection.execute(
                f"{_TABLES} WHERE c.key = ? AND s.key = ? AND o.key = ?", name.key
            ).fetchone()
            return None if row is None else self._table(connection, row)

        return self._cache.get(("table", name.key), read)

    def tables(self, catalog: str, schema: str | None = None) -> list[Table]:
        """Return the tables and views of a catalog, or of one of its schemas, by name."""
        settle(self._store, self.layout)
        with self._store.read() as connection:
            rows = connection.execute(
                f"{_TABLES} WHERE c.key = ? AND (? IS NULL OR s.key = ?) ORDER BY s.key, o.key",
                (catalog.lower(), schema, (schema or "").lower()),
            ).fetchall()
            return [self._table(connection, row) for row in rows]

    def _table(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Table:
        properties = connection.execute(
            "SELECT name, value FROM properties WHERE id = ? ORDER BY name", (row["id"],)
        )
        comments = connection.execute(
            "SELECT column_key, comment FROM column_comments WHERE id = ?", (row["id"],)
        )
        created_at, altered_at = times(row)
        return Table(
            name=TableName(row["catalog_name"], row["schema_name"], row["name"]),
            kind=row["kind"],
            location=self._absolute(row["location"]),
            managed=bool(row["managed"]),
            view_sql=row["view_sql"],
            comment=row["comment"],
            owner=row["owner"],
            created_at=created_at,
            altered_at=altered_at,
            object_id=row["id"],
            properties=dict(properties.fetchall()),
            column_comments=dict(comments.fetchall()),
        )

    def drop(self, name: TableName, *, if_exists: bool = False) -> None:
        """Drop a table or view. A managed table's folder goes with it; the folder of an external one stays.

        Raises:
            InputError: It is missing and `if_exists` is false.
        """
        self._drop_with_files(Securable.of(name), True, if_exists)

    def rename(self, name: TableName, new_name: TableName) -> None:
        """Rename a table or view within its catalog; a managed table's folder follows.

        Raises:
            InputError: It is missing, the new name is taken, its schema is missing, or it is in another
            catalog.
        """
        if name.key[0] != new_name.key[0]:
            raise InputError("A table cannot be renamed into another catalog", got=f"{name} to {new_name}")
        settle(self._store, self.layout)
        with self._store.write() as connection:
            key = self._require(connection, name)
            parent = self._require(connection, Securable("SCHEMA", (new_name.catalog, new_name.schema)))
            other = self._find(connection, Securable.of(new_name))
            if other is not None and other["id"] != key:
                raise InputError(f"{name} cannot be renamed: {new_name} already exists")
            row = connection.execute("SELECT * FROM tables WHERE id = ?", (key,)).fetchone()
            target = None
            folder = self.layout.table_path(*new_name.key)
            if row["managed"] and name != new_name:
                if folder.exists():
                    raise InputError(
                        f"{name} cannot be renamed: the folder of {new_name} contains files that belong to no table",
                        got=folder,
                        next_step="Move the folder away or delete it",
                    )
                target = stored_path(self.layout, folder)
            note_rename(
                connection,
                table_id=key,
                parent_id=parent,
                name=new_name.table,
                source=row["location"],
                target=target,
            )
        settle(self._store, self.layout)

    def touch(self, name: TableName) -> None:
        """Note that the table's data or columns changed: whoever watches the revision looks again."""
        with self._change(name):
            pass

    def columns(self, table: Table | TableName) -> list[Column]:
        """Return the columns: of a Delta table from its log, of a view as they were recorded.

        Raises:
            NotFound: There is no such table.
            DataFault: The table's folder has no readable Delta log.
        """
        if isinstance(table, TableName):
            found = self.get(table)
            if found is None:
                raise NotFound(f"table {table}")
            table = found
        if table.location is not None:
            try:
                columns: Sequence[Column] = read_columns(table.location)
            except DataFault:
                if self.get(table.name) is None:  # dropped since it was asked for
                    raise NotFound(f"table {table.name}") from None
                raise
        else:
            with self._store.read() as connection:
                rows = connection.execute(
                    "SELECT * FROM view_columns WHERE id = ? ORDER BY position", (table.object_id,)
                )
                columns = [
                    Column(r["name"], r["data_type"], bool(r["nullable"]), position=r["position"])
                    for r in rows
                ]
        return [
            replace(column, comment=table.column_comments.get(column.name.lower(), column.comment))
            for column in columns
        ]
