"""The table in Postgres: made from the model's columns, compared with them, extended by new ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres.column_types import fits, postgres_type
from dlt_ingest.metrics.postgres.errors import ExportDeclarationError, SchemaDriftError
from dlt_ingest.metrics.postgres.settings import SCHEMA, PostgresSettings
from dlt_ingest.metrics.postgres.spec import ExportSpec

# What the export itself adds to each row: when its values last changed here, and in which run.
_OWN = {
    "_run_id": "text default nullif(current_setting('orders.run_id', true), '')",
    "_exported_at": "timestamp with time zone not null default now()",
}


@dataclass(frozen=True)
class TargetTable:
    """A table that fits the model.

    Attributes:
        name: Quoted, with its schema.
        columns: The model's columns, in its order.
        key: The key columns.
        added: Columns that this export added to an existing table.
    """

    name: sql.Composable
    columns: tuple[str, ...]
    key: tuple[str, ...]
    added: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """The columns that are not in the key."""
        return tuple(name for name in self.columns if name not in self.key)


def column_types(schema: pa.Schema, spec: ExportSpec) -> dict[str, str]:
    """Return the Postgres type of each column of the model.

    Raises:
        ExportDeclarationError: If a key column is missing, a column takes a name of the export's own, or a
            type has no counterpart.
    """
    absent = [name for name in spec.key if name not in schema.names]
    if absent:
        raise ExportDeclarationError(
            f"The key of {spec.target} names a column that the model does not have",
            got=", ".join(absent),
            allowed=", ".join(schema.names),
            consequence="Nothing of this model was exported",
            next_step="Correct meta.export.key, or select the column in the model",
        )
    taken = [name for name in schema.names if name in _OWN]
    if taken or len(set(schema.names)) != len(schema.names):
        raise ExportDeclarationError(
            f"Model {spec.target} has a column name that cannot be exported",
            got=", ".join(taken or schema.names),
            allowed=f"each name once, and none of {', '.join(_OWN)}, which the export adds itself",
            consequence="Nothing of this model was exported",
            next_step="Rename the column in the model",
        )
    return {field.name: postgres_type(field.name, field.type) for field in schema}


def ensure_table(
    cursor: Cursor, spec: ExportSpec, types: Mapping[str, str], settings: PostgresSettings
) -> TargetTable:
    """Make the table, or check that the existing one can take the model's rows and add the columns it lacks.

    Args:
        cursor: Inside the transaction of the export, which holds the table's advisory lock.
        spec: What the model declares.
        types: Postgres type of each column of the model.
        settings: For the role's name in messages.

    Raises:
        SchemaDriftError: If a type changed so that values could be lost, the key is another one, a column
            that must have a value is gone from the model, or the role may not make the change.
    """
    name = sql.Identifier(SCHEMA, spec.target)
    existing = existing_types(cursor, spec.target)
    columns = tuple(types)
    if not existing:
        _run_ddl(cursor, _create_statement(name, spec, types), spec, settings)
        return TargetTable(name=name, columns=columns, key=spec.key)
    _check_types(spec, types, existing)
    _check_key(cursor, spec)
    _check_required(cursor, spec, types)
    added = tuple(column for column in columns if column not in existing)
    wanted = {**{column: types[column] for column in added}, **_missing_own(existing)}
    if wanted:
        clauses = [
            sql.SQL("add column {} {}").format(sql.Identifier(column), sql.SQL(kind))
            for column, kind in wanted.items()
        ]
        statement = sql.SQL("alter table {} {}").format(name, sql.SQL(", ").join(clauses))
        _run_ddl(cursor, statement, spec, settings)
    return TargetTable(name=name, columns=columns, key=spec.key, added=added)


def existing_types(cursor: Cursor, table: str) -> dict[str, str]:
    """Return the columns of a table of schema `metrics` with their types; nothing if there is no such table."""
    cursor.execute(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a"
        " where a.attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
        " and a.attnum > 0 and not a.attisdropped order by a.attnum",
        (SCHEMA, table),
    )
    return dict(cursor.fetchall())


def existing_table(cursor: Cursor, table: str) -> TargetTable | None:
    """Return a table of schema `metrics` as it is, with its primary key; None if it is absent or has none."""
    cursor.execute(
        "select array_agg(a.attname::text order by part.place) from pg_index i"
        " cross join unnest(i.indkey::int2[]) with ordinality as part(attnum, place)"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum"
        " where i.indrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and i.indisprimary",
        (SCHEMA, table),
    )
    (key,) = cursor.fetchone()
    if not key:
        return None
    columns = tuple(name for name in existing_types(cursor, table) if name not in _OWN)
    return TargetTable(name=sql.Identifier(SCHEMA, table), columns=columns, key=tuple(key))


def _missing_own(existing: Mapping[str, str]) -> dict[str, str]:
    return {column: kind for column, kind in _OWN.items() if column not in existing}


def _create_statement(name: sql.Composable, spec: ExportSpec, types: Mapping[str, str]) -> sql.Composable:
    parts: list[sql.Composable] = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
        for column, kind in {**types, **_OWN}.items()
    ]
    key = sql.SQL(", ").join(sql.Identifier(column) for column in spec.key)
    parts.append(sql.SQL("primary key ({})").format(key))
    return sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(parts))


def _run_ddl(cursor: Cursor, statement: sql.Composable, spec: ExportSpec, settings: PostgresSettings) -> None:
    try:
        cursor.execute(statement)
    except psycopg2.errors.InsufficientPrivilege:
        raise SchemaDriftError(
            f"Table {SCHEMA}.{spec.target} has to change and role {settings.user} does not own it",
            got=statement.as_string(cursor.connection),
            consequence="Nothing of this model was exported",
            next_step=f"Let the owner of schema {SCHEMA} run that statement, or the export once",
        ) from None


def _check_types(spec: ExportSpec, types: Mapping[str, str], existing: Mapping[str, str]) -> None:
    changed = [
        (column, existing[column], kind)
        for column, kind in types.items()
        if column in existing and not fits(kind, existing[column])
    ]
    if not changed:
        return
    table = f"{SCHEMA}.{spec.target}"
    column, _, kind = changed[0]
    raise SchemaDriftError(
        f"The type of a column of {table} changed",
        got="; ".join(f"{name} is {old} in Postgres and {new} in the model" for name, old, new in changed),
        allowed="the same type, or one whose values the table's column keeps exactly",
        consequence=f"Nothing was written to {table}",
        next_step="Cast it back in the model, or as the owner run:"
        f' alter table {table} alter column "{column}" type {kind} using "{column}"::{kind}'
        " (drop the views on it first, and make them again)",
    )


def _check_key(cursor: Cursor, spec: ExportSpec) -> None:
    # Without a unique index on exactly the key, `on conflict` has nothing to go by.
    cursor.execute(
        "select array_agg(a.attname::text order by a.attname) from pg_index i"
        " cross join unnest(i.indkey::int2[]) as part(attnum)"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum"
        " where i.indrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
        " and i.indisunique and i.indpred is null and i.indexprs is null group by i.indexrelid",
        (SCHEMA, spec.target),
    )
    keys = [columns for (columns,) in cursor.fetchall()]
    if sorted(spec.key) in keys:
        return
    raise SchemaDriftError(
        f"Table {SCHEMA}.{spec.target} has no primary key on the model's key",
        got=f"model: {', '.join(spec.key)};"
        f" table: {' | '.join(', '.join(key) for key in keys) or 'no unique index'}",
        allowed="one unique index on exactly the key columns",
        consequence="Nothing of this model was exported: rows could not be told apart",
        next_step=f"Correct meta.export.key, or drop {SCHEMA}.{spec.target}: the next export makes it again",
    )


def _check_required(cursor: Cursor, spec: ExportSpec, types: Mapping[str, str]) -> None:
    cursor.execute(
        "select attname::text from pg_attribute"
        " where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
        " and attnum > 0 and not attisdropped and attnotnull and not atthasdef and attidentity = ''",
        (SCHEMA, spec.target),
    )
    gone = [column for (column,) in cursor.fetchall() if column not in types]
    if gone:
        raise SchemaDriftError(
            f"The model no longer has a column that {SCHEMA}.{spec.target} requires",
            got=", ".join(gone),
            consequence="Nothing of this model was exported",
            next_step="Select the column in the model again, or as the owner drop its not null constraint",
        )
