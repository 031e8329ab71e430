"""The catalog: which catalogs, schemas, tables, views and volumes there are, and where their data is."""

from __future__ import annotations

import getpass
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from local_workspace.catalog.delta_schema import read_columns
from local_workspace.catalog.governance import Governance, put_column_comments, put_properties, timestamp
from local_workspace.catalog.names import Securable, TableName
from local_workspace.catalog.records import TABLE_KINDS, Column, Finding, SchemaInfo, Table, Volume
from local_workspace.catalog.store import Store
from local_workspace.catalog.table_files import (
    empty_trash,
    note_removal,
    note_rename,
    rescan,
    settle,
    stored_path,
)
from local_workspace.errors import InputError
from local_workspace.layout import WorkspaceLayout, check_name

# `system` is Sail's, `information_schema` is in every catalog by itself.
_RESERVED = {"CATALOG": {"system"}, "SCHEMA": {"information_schema"}}

_TABLES = (
    "SELECT o.*, t.kind, t.location, t.managed, t.view_sql, s.name AS schema_name, c.name AS catalog_name"
    " FROM securables o JOIN tables t ON t.id = o.id JOIN securables s ON s.id = o.parent_id"
    " JOIN securables c ON c.id = s.parent_id"
)


class Catalog(Governance):
    """The catalog of one workspace; open it with :meth:`open`.

    Any number of processes and threads may use one workspace's catalog at the same time. Names are
    compared without regard to case and keep the case in which they were first given.
    """

    @classmethod
    def open(cls, layout: WorkspaceLayout) -> Catalog:
        """Open the catalog of a workspace, creating it if there is none, and finish what a killed process left open.

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

    def rescan(self) -> list[Finding]:
        """Report folders without a table, tables without a folder and leftovers of drops; nothing is changed."""
        return rescan(self._store, self.layout)

    # -- catalogs and schemas ----------------------------------------------------------------------

    def create_catalog(self, name: str, *, if_not_exists: bool = False, comment: str | None = None) -> None:
        """Create a catalog.

        Raises:
            InputError: The name is not valid, reserved, or taken and `if_not_exists` is false.
        """
        self._create(Securable("CATALOG", (name,)), if_not_exists, comment)

    def create_schema(
        self, catalog: str, schema: str, *, if_not_exists: bool = False, comment: str | None = None
    ) -> None:
        """Create a schema in a catalog that exists.

        Raises:
            InputError: The catalog is missing, or the name is not valid, reserved, or taken and
            `if_not_exists` is false.
        """
        self._create(Securable("SCHEMA", (catalog, schema)), if_not_exists, comment)

    def create_volume(
        self,
        catalog: str,
        schema: str,
        volume: str,
        *,
        if_not_exists: bool = False,
        comment: str | None = None,
    ) -> Path:
        """Create a managed volume and return its folder.

        Raises:
            InputError: The schema is missing, or the name is not valid, or taken and `if_not_exists` is
            false.
        """
        folder = self.layout.volume_path(catalog, schema, volume)
        self._create(Securable("VOLUME", (catalog, schema, volume)), if_not_exists, comment)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _create(self, securable: Securable, if_not_exists: bool, comment: str | None) -> None:
        check_name(securable.parts[-1], securable.type.lower())
        if securable.keys[-1] in _RESERVED.get(securable.type, ()):
            raise InputError(f"The {securable.type.lower()} name is reserved", got=securable.parts[-1])
        settle(self._store, self.layout)
        if if_not_exists:
            with self._store.read() as connection:  # a look first: most calls find it, and need no write lock
                if self._find(connection, securable) is not None:
                    return
        with self._store.write() as connection:
            if self._find(connection, securable) is None:
                self._insert(connection, securable, comment)
            elif not if_not_exists:
                raise InputError(f"The {securable} is already there")

    def _insert(self, connection: sqlite3.Connection, securable: Securable, comment: str | None) -> int:
        parent = None
        if len(securable.parts) > 1:
            parent_type = "CATALOG" if len(securable.parts) == 2 else "SCHEMA"
            parent = self._require(connection, Securable(parent_type, securable.parts[:-1]))
        now = timestamp()
        done = connection.execute(
            "INSERT INTO securables (parent_id, type, name, key, comment, owner, created_at, altered_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                parent,
                securable.type,
                securable.parts[-1],
                securable.keys[-1],
                comment or None,
                _user(),
                now,
                now,
            ),
        )
        return int(done.lastrowid or 0)

    def drop_catalog(self, name: str, *, cascade: bool = False, if_exists: bool = False) -> None:
        """Drop a catalog; with `cascade` its schemas, tables and volumes go first, files included.

        Raises:
            InputError: It is missing and `if_exists` is false, or it is not empty and `cascade` is false.
        """
        self._drop_with_files(Securable("CATALOG", (name,)), cascade, if_exists)

    def drop_schema(
        self, catalog: str, schema: str, *, cascade: bool = False, if_exists: bool = False
    ) -> None:
        """Drop a schema; with `cascade` its tables and volumes go first, files included.

        Raises:
            InputError: It is missing and `if_exists` is false, or it is not empty and `cascade` is false.
        """
        self._drop_with_files(Securable("SCHEMA", (catalog, schema)), cascade, if_exists)

    def drop_volume(self, catalog: str, schema: str, volume: str, *, if_exists: bool = False) -> None:
        """Drop a managed volume with every file in it.

        Raises:
            InputError: It is missing and `if_exists` is false.
        """
        self._drop_with_files(Securable("VOLUME", (catalog, schema, volume)), True, if_exists)

    def drop(self, name: TableName, *, if_exists: bool = False) -> None:
        """Drop a table or view. A managed table's folder goes with it; the folder of an external one stays.

        Raises:
            InputError: It is missing and `if_exists` is false.
        """
        self._drop_with_files(Securable.of(name), True, if_exists)

    def _drop_with_files(self, securable: Securable, cascade: bool, if_exists: bool) -> None:
        settle(self._store, self.layout)
        with self._store.write() as connection:
            row = self._find(connection, securable)
            if row is None:
                if if_exists:
                    return
                raise InputError(f"There is no {securable} in the catalog")
            below = connection.execute(
                "WITH RECURSIVE tree (id) AS (SELECT ? UNION ALL SELECT s.id FROM securables s JOIN tree ON s.parent_id = tree.id)"
                " SELECT o.id, o.type, o.key, s.key AS schema_key, c.key AS catalog_key, t.location, t.managed FROM tree"
                " JOIN securables o ON o.id = tree.id LEFT JOIN tables t ON t.id = o.id"
                " LEFT JOIN securables s ON s.id = o.parent_id LEFT JOIN securables c ON c.id = s.parent_id",
                (row["id"],),
            ).fetchall()
            if len(below) > 1 and not cascade:
                raise InputError(
                    f"The {securable} is not empty", next_step="Drop what is in it first, or use CASCADE"
                )
            for item in below:
                if item["type"] == "TABLE" and item["managed"]:
                    note_removal(connection, item["location"])
                elif item["type"] == "VOLUME":
                    folder = self.layout.volume_path(item["catalog_key"], item["schema_key"], item["key"])
                    note_removal(connection, stored_path(self.layout, folder))
            connection.execute("DELETE FROM securables WHERE id = ?", (row["id"],))
        settle(self._store, self.layout)

    def catalogs(self) -> list[SchemaInfo]:
        """Return all catalogs, by name."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT * FROM securables WHERE type = 'CATALOG' ORDER BY key"
            ).fetchall()
        return [SchemaInfo(row["name"], None, row["comment"], row["owner"], *_times(row)) for row in rows]

    def schemas(self, catalog: str) -> list[SchemaInfo]:
        """Return the schemas of a catalog, by name; none if there is no such catalog."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT s.*, c.name AS catalog_name FROM securables s JOIN securables c ON c.id = s.parent_id"
                " WHERE s.type = 'SCHEMA' AND c.key = ? ORDER BY s.key",
                (catalog.lower(),),
            ).fetchall()
        return [SchemaInfo(r["catalog_name"], r["name"], r["comment"], r["owner"], *_times(r)) for r in rows]

    def volumes(self, catalog: str, schema: str | None = None) -> list[Volume]:
        """Return the volumes of a catalog, or of one of its schemas, by name."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT o.*, s.name AS schema_name, c.name AS catalog_name FROM securables o"
                " JOIN securables s ON s.id = o.parent_id JOIN securables c ON c.id = s.parent_id"
                " WHERE o.type = 'VOLUME' AND c.key = ? AND (? IS NULL OR s.key = ?) ORDER BY s.key, o.key",
                (catalog.lower(), schema, (schema or "").lower()),
            ).fetchall()
        return [
            Volume(
                row["catalog_name"],
                row["schema_name"],
                row["name"],
                self.layout.volume_path(row["catalog_name"], row["schema_name"], row["name"]),
                row["comment"],
                row["owner"],
                *_times(row),
            )
            for row in rows
        ]

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
        """Record a table or view: a new one, or the new definition of one that is there. Call it after the data is in place.

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
            raise InputError("This is no kind of table", got=kind, allowed=", ".join(TABLE_KINDS))
        if (kind == "VIEW") != (location is None):
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
                if (former == "VIEW") != (kind == "VIEW"):
                    raise InputError(
                        f"{name} is a {former.lower()}, so no {kind.lower()} of that name can be made",
                        next_step=f"Drop the {former.lower()} {name} first",
                    )
                if replace_existing:
                    for part in ("properties", "column_comments", "constraints"):
                        connection.execute(f"DELETE FROM {part} WHERE id = ?", (key,))
                    connection.execute("UPDATE securables SET comment = NULL WHERE id = ?", (key,))
                connection.execute(
                    "UPDATE tables SET kind = ?, location = ?, managed = ?, view_sql = coalesce(?, view_sql) WHERE id = ?",
                    (kind, stored, managed, view_sql, key),
                )
                connection.execute("UPDATE securables SET altered_at = ? WHERE id = ?", (timestamp(), key))
            if comment is not None:
                connection.execute("UPDATE securables SET comment = ? WHERE id = ?", (comment or None, key))
            put_properties(connection, key, properties or {})
            put_column_comments(connection, key, column_comments or {})
            if columns is not None and kind == "VIEW":
                connection.execute("DELETE FROM view_columns WHERE id = ?", (key,))
                connection.executemany(
                    "INSERT INTO view_columns VALUES (?, ?, ?, ?, ?)",
                    [(key, at, c.name, c.data_type, c.nullable) for at, c in enumerate(columns)],
                )
            return self._table(connection, connection.execute(f"{_TABLES} WHERE o.id = ?", (key,)).fetchone())

    def get(self, name: TableName) -> Table | None:
        """Return the table or view of that name, or None."""
        settle(self._store, self.layout)
        with self._store.read() as connection:
            row = connection.execute(
                f"{_TABLES} WHERE c.key = ? AND s.key = ? AND o.key = ?", name.key
            ).fetchone()
            return None if row is None else self._table(connection, row)

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
        created_at, altered_at = _times(row)
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
            properties={name: value for name, value in properties},
            column_comments={name: comment for name, comment in comments},
        )

    def rename(self, name: TableName, new_name: TableName) -> None:
        """Rename a table or view within its catalog, into another schema if wanted; a managed table's folder follows.

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
                raise InputError(f"{name} cannot be renamed: {new_name} is already there")
            row = connection.execute("SELECT * FROM tables WHERE id = ?", (key,)).fetchone()
            target = None
            folder = self.layout.table_path(*new_name.key)
            if row["managed"] and name != new_name:
                if folder.exists():
                    raise InputError(
                        f"{name} cannot be renamed: the folder of {new_name} holds files that no table owns",
                        got=folder,
                        next_step="Move the folder away or delete it",
                    )
                target = stored_path(self.layout, folder)
            note_rename(connection, key, parent, new_name.table, row["location"], target)
        settle(self._store, self.layout)

    def touch(self, name: TableName) -> None:
        """Note that the table's data or columns changed, so that whoever watches the revision looks at it again."""
        with self._change(name):
            pass

    def columns(self, table: Table | TableName) -> list[Column]:
        """Return the columns: of a Delta table from its log, of a view as they were recorded.

        Raises:
            InputError: There is no such table.
            DataFault: The table's folder has no readable Delta log.
        """
        if isinstance(table, TableName):
            found = self.get(table)
            if found is None:
                raise InputError(f"There is no table {table} in the catalog")
            table = found
        if table.location is not None:
            columns: Sequence[Column] = read_columns(table.location)
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


def _times(row: sqlite3.Row) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(row["created_at"]), datetime.fromisoformat(row["altered_at"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without an entry in the password file
        return "unknown"
