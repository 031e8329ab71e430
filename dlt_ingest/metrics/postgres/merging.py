"""From the staged rows to the table: only what differs is written, and a key counts once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres.loading import REJECTIONS, column_list
from dlt_ingest.metrics.postgres.target_table import TargetTable

STAGE = sql.Identifier("export_stage")
_KEPT = sql.Identifier("export_kept_keys")
Row = dict[str, "str | None"]


@dataclass(frozen=True)
class Merged:
    """Rows that a merge wrote.

    Attributes:
        inserted: Keys that were not there.
        updated: Keys whose values differed.
    """

    inserted: int = 0
    updated: int = 0

    def __add__(self, other: Merged) -> Merged:
        return Merged(self.inserted + other.inserted, self.updated + other.updated)


def create_stage(cursor: Cursor, target: TargetTable) -> None:
    """Make the temporary table that rows are copied to first; it lives as long as the transaction.

    It has the target's types and CHECK constraints, so that COPY finds what breaks them and names the line,
    but no indexes, and is not logged.
    """
    cursor.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            STAGE, column_list(target.columns), target.name
        )
    )
    # Not `like ... including constraints`: it would bring NOT NULL columns that the model does not fill.
    cursor.execute(
        "select attname::text from pg_attribute"
        " where attrelid = %s::regclass and attnotnull and attname = any(%s)",
        (target.name.as_string(cursor), list(target.columns)),
    )
    changes = [
        sql.SQL("alter column {} set not null").format(sql.Identifier(name)) for (name,) in cursor.fetchall()
    ]
    cursor.execute(
        "select conname::text, pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass"
        " and contype = 'c' and conkey <@ (select array_agg(attnum) from pg_attribute"
        " where attrelid = conrelid and attname = any(%s))",
        (target.name.as_string(cursor), list(target.columns)),
    )
    changes += [
        sql.SQL("add constraint {} {}").format(
            sql.Identifier(name), sql.SQL(definition.removesuffix(" NOT VALID"))
        )
        for name, definition in cursor.fetchall()
    ]
    if changes:
        cursor.execute(sql.SQL("alter table {} {}").format(STAGE, sql.SQL(", ").join(changes)))


def take_back(cursor: Cursor, target: TargetTable) -> None:
    """Move rows that went straight into an empty table to the stage, because two of them share a key."""
    columns = column_list(target.columns)
    cursor.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(STAGE, columns, columns, target.name)
    )
    cursor.execute(sql.SQL("delete from {}").format(target.name))


def drop_duplicates(cursor: Cursor, target: TargetTable, reject: Callable[[Row], None]) -> None:
    """Leave one row per key in the stage.

    Rows that are equal in all columns collapse to one. Rows that share a key and differ are all taken out and
    passed to `reject`: which of them is right is not for the export to guess, and the order of rows in a
    warehouse's result means nothing.
    """
    key = column_list(target.key)
    cursor.execute(
        sql.SQL("select 1 from {} group by {} having count(*) > 1 limit 1").format(STAGE, key),
    )
    if cursor.fetchone() is None:
        return
    columns = column_list(target.columns)
    cursor.execute(
        sql.SQL(
            "delete from {stage} s using (select ctid as place,"
            " row_number() over (partition by {columns}) as copy from {stage}) d"
            " where s.ctid = d.place and d.copy > 1"
        ).format(stage=STAGE, columns=columns)
    )
    cursor.execute(
        sql.SQL(
            "delete from {stage} s using (select ctid as place, count(*) over (partition by {key}) as rows"
            " from {stage}) d where s.ctid = d.place and d.rows > 1 returning {texts}"
        ).format(stage=STAGE, key=key, texts=_texts(target.columns))
    )
    for row in cursor.fetchall():
        reject(dict(zip(target.columns, row, strict=True)))


def merge(cursor: Cursor, target: TargetTable, reject: Callable[[Row, psycopg2.Error], None]) -> Merged:
    """Write the staged rows whose key is new or whose values differ; the others are not touched at all.

    A row that breaks something only the table itself can tell (a foreign key, a second unique index, a
    trigger) is omitted and passed to `reject`.
    """
    cursor.execute(sql.SQL("analyze {}").format(STAGE))
    cursor.execute("savepoint merging")
    try:
        merged = _merge_rows(cursor, target, STAGE)
    except REJECTIONS:
        cursor.execute("rollback to savepoint merging")
        merged = _merge_in_parts(cursor, target, reject)
    cursor.execute("release savepoint merging")
    return merged


def keep_key(cursor: Cursor, target: TargetTable, row: Row) -> None:
    """Remember the key of a rejected row: it has not left the model, so `mirror` must not delete it."""
    cursor.execute(
        sql.SQL(
            "create temporary table if not exists {} on commit drop as select {} from {} with no data"
        ).format(_KEPT, column_list(target.key), target.name)
    )
    values = [row[name] for name in target.key]
    if any(value is None or "\0" in value for value in values):
        return  # such a key cannot be in the table
    cursor.execute("savepoint kept")
    try:
        cursor.execute(
            sql.SQL("insert into {} values ({})").format(_KEPT, sql.SQL(", ").join(map(sql.Literal, values)))
        )
    except REJECTIONS:
        cursor.execute("rollback to savepoint kept")
    cursor.execute("release savepoint kept")


def delete_absent(cursor: Cursor, target: TargetTable, *, some_kept: bool) -> int:
    """Delete the rows whose key is neither in the stage nor among the kept ones, and tell how many."""
    statement = sql.SQL("delete from {} t where not exists (select from {} s where {})").format(
        target.name, STAGE, _same_key(target, "s")
    )
    if some_kept:
        statement += sql.SQL(" and not exists (select from {} k where {})").format(
            _KEPT, _same_key(target, "k")
        )
    cursor.execute(statement)
    return int(cursor.rowcount)


def _merge_rows(cursor: Cursor, target: TargetTable, rows: sql.Composable) -> Merged:
    # The join finds what differs by one hash join; `on conflict` repeats the test for a writer that does not
    # take the advisory lock (psql, a migration). xmax is 0 on a row that was inserted, not updated.
    cursor.execute(
        sql.SQL(
            "with written as (insert into {target} as t ({columns}) select {staged} from {rows} s"
            " left join {target} t on {same_key} where t.{first_key} is null or {differs}"
            " on conflict ({key}) do {action} returning (xmax = 0) as is_new)"
            " select count(*) filter (where is_new), count(*) filter (where not is_new) from written"
        ).format(
            target=target.name,
            columns=column_list(target.columns),
            staged=column_list(target.columns, "s"),
            rows=rows,
            same_key=_same_key(target, "s"),
            first_key=sql.Identifier(target.key[0]),
            differs=_differs(target, "s"),
            key=column_list(target.key),
            action=_update_action(target),
        )
    )
    inserted, updated = cursor.fetchone()
    return Merged(inserted, updated)


def upsert_row(cursor: Cursor, target: TargetTable, row: Row) -> None:
    """Write one row given as texts, which Postgres reads as the types of the columns.

    Raises:
        psycopg2.Error: One of `loading.REJECTIONS` if the table does not take the row.
    """
    cursor.execute(
        sql.SQL("insert into {} as t ({}) values ({}) on conflict ({}) do {}").format(
            target.name,
            column_list(target.columns),
            sql.SQL(", ").join(sql.Literal(row[name]) for name in target.columns),
            column_list(target.key),
            _update_action(target),
        )
    )


def _update_action(target: TargetTable) -> sql.Composable:
    if not target.values:
        return sql.SQL("nothing")
    changes = [
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
        for name in (*target.values, "_run_id", "_exported_at")
    ]
    return sql.SQL("update set {} where {}").format(sql.SQL(", ").join(changes), _differs(target, "excluded"))


def _merge_in_parts(
    cursor: Cursor, target: TargetTable, reject: Callable[[Row, psycopg2.Error], None]
) -> Merged:
    numbered = sql.Identifier("export_numbered")
    cursor.execute(
        sql.SQL(
            "create temporary table {} on commit drop as select row_number() over () as _row, * from {}"
        ).format(numbered, STAGE)
    )
    cursor.execute(sql.SQL("select count(*) from {}").format(numbered))
    todo = [(1, cursor.fetchone()[0] + 1)]
    merged = Merged()
    while todo:
        start, stop = todo.pop()
        if start == stop:
            continue
        rows = sql.SQL("(select * from {} where _row >= {} and _row < {})").format(
            numbered, sql.Literal(start), sql.Literal(stop)
        )
        cursor.execute("savepoint piece")
        try:
            merged += _merge_rows(cursor, target, rows)
        except REJECTIONS as error:
            cursor.execute("rollback to savepoint piece")
            if stop - start == 1:
                cursor.execute(
                    sql.SQL("select {} from {} s where _row = {}").format(
                        _texts(target.columns), numbered, sql.Literal(start)
                    )
                )
                reject(dict(zip(target.columns, cursor.fetchone(), strict=True)), error)
            else:
                middle = (start + stop) // 2
                todo.extend([(middle, stop), (start, middle)])
        cursor.execute("release savepoint piece")
    return merged


def _same_key(target: TargetTable, other: str) -> sql.Composable:
    return sql.SQL(" and ").join(
        sql.SQL("t.{0} = {1}.{0}").format(sql.Identifier(name), sql.SQL(other)) for name in target.key
    )


def _differs(target: TargetTable, other: str) -> sql.Composable:
    if not target.values:
        return sql.SQL("false")
    return sql.SQL("({}) is distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in target.values),
        sql.SQL(", ").join(
            sql.SQL("{}.{}").format(sql.SQL(other), sql.Identifier(name)) for name in target.values
        ),
    )


def _texts(columns: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("s.{}::text").format(sql.Identifier(name)) for name in columns)
