"""Catalogs, schemas and volumes, and dropping anything with what is in it."""

from __future__ import annotations

import getpass
import sqlite3
from datetime import datetime
from pathlib import Path

from local_workspace.catalog.governance import Governance, timestamp
from local_workspace.catalog.names import Securable
from local_workspace.catalog.records import SchemaInfo, Volume
from local_workspace.catalog.table_files import note_removal, settle, stored_path
from local_workspace.errors import InputError, NotFound
from local_workspace.layout import check_name

# `system` is Sail's, `information_schema` is in every catalog by itself.
_RESERVED = {"CATALOG": {"system"}, "SCHEMA": {"information_schema"}}


class Namespaces(Governance):
    """The part of the catalog above the tables; :class:`Catalog` adds them."""

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
                raise InputError(f"The {securable} already exists")

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

    def _drop_with_files(self, securable: Securable, cascade: bool, if_exists: bool) -> None:
        settle(self._store, self.layout)
        with self._store.write() as connection:
            row = self._find(connection, securable)
            if row is None:
                if if_exists:
                    return
                raise NotFound(securable, securable.type)
            below = connection.execute(
                "WITH RECURSIVE tree (id) AS"
                " (SELECT ? UNION ALL SELECT s.id FROM securables s JOIN tree ON s.parent_id = tree.id)"
                " SELECT o.id, o.type, o.key, s.key AS schema_key, c.key AS catalog_key,"
                " t.location, t.managed FROM tree"
                " JOIN securables o ON o.id = tree.id LEFT JOIN tables t ON t.id = o.id"
                " LEFT JOIN securables s ON s.id = o.parent_id LEFT JOIN securables c ON c.id = s.parent_id",
                (row["id"],),
            ).fetchall()
            if len(below) > 1 and not cascade:
                raise InputError(
                    f"The {securable} is not empty", next_step="Drop its contents first, or use CASCADE"
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
        return [SchemaInfo(row["name"], None, row["comment"], row["owner"], *times(row)) for row in rows]

    def schemas(self, catalog: str) -> list[SchemaInfo]:
        """Return the schemas of a catalog, by name; none if there is no such catalog."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT s.*, c.name AS catalog_name FROM securables s JOIN securables c ON c.id = s.parent_id"
                " WHERE s.type = 'SCHEMA' AND c.key = ? ORDER BY s.key",
                (catalog.lower(),),
            ).fetchall()
        return [SchemaInfo(r["catalog_name"], r["name"], r["comment"], r["owner"], *times(r)) for r in rows]

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
                *times(row),
            )
            for row in rows
        ]


def times(row: sqlite3.Row) -> tuple[datetime, datetime]:
    """Read when a securable was created and last altered."""
    return datetime.fromisoformat(row["created_at"]), datetime.fromisoformat(row["altered_at"])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without an entry in the password file
        return "unknown"
