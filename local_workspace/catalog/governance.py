"""What people say about tables: comments, tags, properties, constraints and grants."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from local_workspace.catalog.names import Securable, TableName
from local_workspace.catalog.records import CONSTRAINT_TYPES, Constraint, Grant
from local_workspace.catalog.revision_cache import RevisionCache
from local_workspace.catalog.store import Store
from local_workspace.catalog.table_files import settle
from local_workspace.errors import InputError, NotFound
from local_workspace.layout import WorkspaceLayout

# Databricks documentation, page "Unity Catalog privileges and securable objects".
PRIVILEGES = frozenset(
    {
        "ALL PRIVILEGES", "APPLY TAG", "BROWSE", "CREATE FUNCTION", "CREATE MATERIALIZED VIEW", "CREATE MODEL",
        "CREATE SCHEMA", "CREATE TABLE", "CREATE VOLUME", "EXECUTE", "EXTERNAL USE SCHEMA", "MANAGE", "MODIFY",
        "READ VOLUME", "REFRESH", "SELECT", "USE CATALOG", "USE SCHEMA", "WRITE VOLUME",
    }
)  # fmt: skip


def timestamp() -> str:
    """Return the present moment as the catalog stores it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class Governance:
    """The part of the catalog that annotates securables; :class:`Catalog` adds the rest.

    Every method takes a :class:`TableName` or, for anything else than a table or view, a :class:`Securable`,
    and raises :class:`NotFound` if there is no such securable.
    """

    def __init__(self, store: Store, layout: WorkspaceLayout) -> None:
        self._store = store
        self._cache = RevisionCache(store, layout)
        self.layout = layout

    # -- finding -----------------------------------------------------------------------------------

    def _find(self, connection: sqlite3.Connection, securable: Securable) -> sqlite3.Row | None:
        row: sqlite3.Row | None = None
        levels = ("CATALOG", "SCHEMA", securable.type)[: len(securable.parts)]
        for level, key in zip(levels, securable.keys, strict=True):
            row = connection.execute(
                "SELECT * FROM securables WHERE type = ? AND coalesce(parent_id, 0) = ? AND key = ?",
                (level, row["id"] if row is not None else 0, key),
            ).fetchone()
            if row is None:
                return None
        return row

    def _require(self, connection: sqlite3.Connection, name: Securable | TableName) -> int:
        securable = Securable.of(name)
        row = self._find(connection, securable)
        if row is None:
            raise NotFound(securable, securable.type)
        return int(row["id"])

    @contextmanager
    def _change(self, name: Securable | TableName) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Yield one transaction that changes one securable and notes when."""
        settle(self._store, self.layout)
        with self._store.write() as connection:
            key = self._require(connection, name)
            connection.execute("UPDATE securables SET altered_at = ? WHERE id = ?", (timestamp(), key))
            yield connection, key

    # -- comments and properties -------------------------------------------------------------------

    def set_comment(self, name: Securable | TableName, comment: str | None) -> None:
        """Set or, with None, remove the comment."""
        with self._change(name) as (connection, key):
            connection.execute("UPDATE securables SET comment = ? WHERE id = ?", (comment or None, key))

    def comment(self, name: Securable | TableName) -> str | None:
        """Return the comment, or None."""
        with self._store.read() as connection:
            key = self._require(connection, name)
            comment: str | None = connection.execute(
                "SELECT comment FROM securables WHERE id = ?", (key,)
            ).fetchone()[0]
            return comment

    def set_column_comment(self, name: TableName, column: str, comment: str | None) -> None:
        """Set or, with None, remove the comment of one column."""
        with self._change(name) as (connection, key):
            put_column_comments(connection, key, {column: comment})

    def set_properties(self, name: Securable | TableName, properties: Mapping[str, str | None]) -> None:
        """Merge properties into those recorded; a value of None removes the property."""
        with self._change(name) as (connection, key):
            put_properties(connection, key, properties)

    def properties(self, name: Securable | TableName) -> dict[str, str]:
        """Return the properties."""
        with self._store.read() as connection:
            key = self._require(connection, name)
            rows = connection.execute("SELECT name, value FROM properties WHERE id = ? ORDER BY name", (key,))
            return dict(rows.fetchall())

    # -- tags --------------------------------------------------------------------------------------

    def set_tags(self, name: Securable | TableName, tags: Mapping[str, str | None]) -> None:
        """Merge tags into those recorded; a value of None removes the tag."""
        self._set_tags(name, "", tags)

    def set_column_tags(self, name: TableName, column: str, tags: Mapping[str, str | None]) -> None:
        """Merge tags into those of one column; a value of None removes the tag."""
        self._set_tags(name, column.lower(), tags)

    def _set_tags(self, name: Securable | TableName, column_key: str, tags: Mapping[str, str | None]) -> None:
        with self._change(name) as (connection, key):
            for tag, value in tags.items():
                if value is None:
                    connection.execute(
                        "DELETE FROM tags WHERE id = ? AND column_key = ? AND name = ?",
                        (key, column_key, tag),
                    )
                else:
                    connection.execute(
                        "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", (key, column_key, tag, value)
                    )

    def tags(self, name: Securable | TableName) -> dict[str, str]:
        """Return the tags of the securable itself."""
        with self._store.read() as connection:
            key = self._require(connection, name)
            rows = connection.execute(
                "SELECT name, value FROM tags WHERE id = ? AND column_key = '' ORDER BY name", (key,)
            )
            return dict(rows.fetchall())

    def column_tags(self, name: TableName) -> dict[str, dict[str, str]]:
        """Return the tags of the columns, by column name in lower case."""
        found: dict[str, dict[str, str]] = {}
        with self._store.read() as connection:
            key = self._require(connection, name)
            for column, tag, value in connection.execute(
                "SELECT column_key, name, value FROM tags WHERE id = ? AND column_key <> '' ORDER BY 1, 2",
                (key,),
            ):
                found.setdefault(column, {})[tag] = value
        return found

    # -- constraints -------------------------------------------------------------------------------

    def add_constraint(self, name: TableName, constraint: Constraint) -> None:
        """Record a constraint of a table.

        Raises:
            InputError: The kind is unknown, the name is taken, there is a primary key already, or the
            referenced table is missing.
        """
        if constraint.type not in CONSTRAINT_TYPES:
            raise InputError(
                "This is not a kind of constraint", got=constraint.type, allowed=", ".join(CONSTRAINT_TYPES)
            )
        with self._change(name) as (connection, key):
            taken = connection.execute(
                "SELECT name, type, key FROM constraints WHERE id = ?", (key,)
            ).fetchall()
            for other in taken:
                if (
                    other["key"] == constraint.name.lower()
                    or other["type"] == constraint.type == "PRIMARY KEY"
                ):
                    raise InputError(
                        f"The table {name} already has the {other['type']} constraint {other['name']}",
                        next_step="Drop that constraint first",
                    )
            referenced = self._require(connection, constraint.references) if constraint.references else None
            connection.execute(
                "INSERT INTO constraints VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    constraint.name,
                    constraint.name.lower(),
                    constraint.type,
                    json.dumps(constraint.columns),
                    constraint.expression,
                    referenced,
                    json.dumps(constraint.referenced_columns),
                ),
            )

    def drop_constraint(self, name: TableName, constraint: str, *, if_exists: bool = False) -> None:
        """Forget a constraint by its name.

        Raises:
            InputError: There is none of that name, and `if_exists` is false.
        """
        with self._change(name) as (connection, key):
            done = connection.execute(
                "DELETE FROM constraints WHERE id = ? AND key = ?", (key, constraint.lower())
            )
            if not done.rowcount and not if_exists:
                raise InputError(f"The table {name} has no constraint {constraint}")

    def primary_key(self, name: TableName) -> Constraint | None:
        """Return the primary key of a table, None if it has none."""
        return next((c for c in self.constraints(name) if c.type == "PRIMARY KEY"), None)

    def referring(self, name: TableName) -> list[tuple[TableName, str]]:
        """Return the foreign keys that point to a table: the table of each, and its name."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT k.name AS constraint_name, c.name, s.name, t.name FROM constraints k"
                " JOIN securables t ON t.id = k.id JOIN securables s ON s.id = t.parent_id"
                " JOIN securables c ON c.id = s.parent_id WHERE k.referenced_id = ? ORDER BY 2, 3, 4, 1",
                (self._require(connection, name),),
            ).fetchall()
        return [(TableName(row[1], row[2], row[3]), row[0]) for row in rows]

    def constraints(self, name: TableName) -> list[Constraint]:
        """Return the constraints of a table, primary key first, then by name.

        A foreign key goes with the table it points to.
        """
        with self._store.read() as connection:
            key = self._require(connection, name)
            rows = connection.execute(
                "SELECT k.*, c.name AS ref_catalog, s.name AS ref_schema, t.name AS ref_table"
                " FROM constraints k LEFT JOIN securables t ON t.id = k.referenced_id"
                " LEFT JOIN securables s ON s.id = t.parent_id LEFT JOIN securables c ON c.id = s.parent_id"
                " WHERE k.id = ? ORDER BY k.type <> 'PRIMARY KEY', k.key",
                (key,),
            ).fetchall()
        return [
            Constraint(
                name=row["name"],
                type=row["type"],
                columns=tuple(json.loads(row["columns"])),
                expression=row["expression"],
                references=TableName(row["ref_catalog"], row["ref_schema"], row["ref_table"])
                if row["ref_table"]
                else None,
                referenced_columns=tuple(json.loads(row["referenced_columns"])),
            )
            for row in rows
        ]

    # -- grants ------------------------------------------------------------------------------------

    def grant(self, name: Securable | TableName, principal: str, privileges: Iterable[str]) -> None:
        """Record privileges of a principal; only recorded, as the one user here may do everything.

        Raises:
            InputError: A privilege is not one of Unity Catalog's.
        """
        with self._change(name) as (connection, key):
            for privilege in _checked(privileges):
                connection.execute(
                    "INSERT OR IGNORE INTO grants VALUES (?, ?, ?)", (key, principal, privilege)
                )

    def revoke(self, name: Securable | TableName, principal: str, privileges: Iterable[str]) -> None:
        """Forget privileges of a principal; what was not granted is not an error, as on Databricks.

        Raises:
            InputError: A privilege is not one of Unity Catalog's.
        """
        with self._change(name) as (connection, key):
            for privilege in _checked(privileges):
                connection.execute(
                    "DELETE FROM grants WHERE id = ? AND principal = ? AND privilege = ?",
                    (key, principal, privilege),
                )

    def grants(self, name: Securable | TableName) -> list[Grant]:
        """Return what was granted on this securable itself, not what it inherits."""
        securable = Securable.of(name)
        with self._store.read() as connection:
            key = self._require(connection, securable)
            rows = connection.execute(
                "SELECT principal, privilege FROM grants WHERE id = ? ORDER BY 1, 2", (key,)
            ).fetchall()
        return [Grant(securable, row["principal"], row["privilege"]) for row in rows]

    def _absolute(self, stored: str | None) -> Path | None:
        return None if stored is None else self.layout.root / stored


def _checked(privileges: Iterable[str]) -> list[str]:
    wanted = [" ".join(privilege.upper().replace("_", " ").split()) for privilege in privileges]
    for privilege in wanted:
        if privilege not in PRIVILEGES:
            raise InputError(
                "This is not a Unity Catalog privilege", got=privilege, allowed=", ".join(sorted(PRIVILEGES))
            )
    return wanted


def put_properties(connection: sqlite3.Connection, key: int, properties: Mapping[str, str | None]) -> None:
    """Merge properties within a transaction of the caller."""
    for name, value in properties.items():
        if value is None:
            connection.execute("DELETE FROM properties WHERE id = ? AND name = ?", (key, name))
        else:
            connection.execute("INSERT OR REPLACE INTO properties VALUES (?, ?, ?)", (key, name, value))


def put_column_comments(connection: sqlite3.Connection, key: int, comments: Mapping[str, str | None]) -> None:
    """Merge column comments within a transaction of the caller."""
    for column, comment in comments.items():
        if comment:
            connection.execute(
                "INSERT OR REPLACE INTO column_comments VALUES (?, ?, ?)", (key, column.lower(), comment)
            )
        else:
            connection.execute(
                "DELETE FROM column_comments WHERE id = ? AND column_key = ?", (key, column.lower())
            )
