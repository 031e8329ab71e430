"""Guards MERGE, UPDATE, DELETE and INSERT .. REPLACE: the rows, the counts, the errors, and the time that they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.statement_run import ClientSession

Rows = Callable[[str], list[tuple[Any, ...]]]
Row = tuple[int | None, int | None, int | None]

_SPACE = st.sampled_from([None, 0, 1, 2])
_ROWS = st.lists(st.tuples(_SPACE, _SPACE, _SPACE), max_size=6)
# A condition in SQL and in Python, for a row of the target, one of the source, or both: (id, k, n) each.
_ON = {
    "t.id = s.id": lambda t, s: _equal(t[0], s[0]),
    "t.id <=> s.id and t.k = s.k": lambda t, s: t[0] == s[0] and _equal(t[1], s[1]),
    "t.n < s.n": lambda t, s: None not in (t[2], s[2]) and t[2] < s[2],
    "false": lambda t, s: False,
}
_MATCHED = {
    "": lambda t, s: True,
    "and s.n > 0": lambda t, s: (s[2] or 0) > 0,
    "and t.k = 1": lambda t, s: t[1] == 1,
}
_BY_TARGET = {"": lambda t, s: True, "and n > 0": lambda t, s: (s[2] or 0) > 0}
_BY_SOURCE = {
    "": lambda t, s: True,
    "and n = 1": lambda t, s: t[2] == 1,
    "and t.k is null": lambda t, s: t[1] is None,
}
_UPDATES = {
    "update set *": lambda t, s: s,
    "update set n = t.n + s.n, k = s.k": lambda t, s: (
        t[0],
        s[1],
        None if None in (t[2], s[2]) else t[2] + s[2],
    ),
    "delete": lambda t, s: None,
}
_INSERTS = {"insert *": lambda t, s: s, "insert (id, n) values (s.id, 7)": lambda t, s: (s[0], None, 7)}
_ORPHANS = {
    "update set t.n = n + 10": lambda t, s: (t[0], t[1], None if t[2] is None else t[2] + 10),
    "delete": lambda t, s: None,
}


def _equal(a: int | None, b: int | None) -> bool:
    return a is not None and a == b


def _clauses(conditions: dict[str, Any], actions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Up to two clauses of a kind, of which only the last may be without a condition."""
    clause = st.tuples(st.sampled_from(sorted(conditions)), st.sampled_from(sorted(actions)))
    return st.lists(clause, max_size=2).filter(lambda found: all(condition for condition, _ in found[:-1]))


def _model(target: Sequence[Row], source: Sequence[Row], on: str, kinds: Sequence[Any]) -> list[Row] | None:
    """MERGE as its documentation tells it, row by row; None if several source rows are for one target row."""
    matched, by_target, by_source = kinds
    result: list[Row] = []
    for t in target:
        pairs = [s for s in source if _ON[on](t, s)]
        acting = [(s, a) for s in pairs if (a := _first(matched, _MATCHED, t, s)) is not None]
        if len(acting) > 1 and not (len(matched) == 1 and matched[0] == ("", "delete")):
            return None
        if acting:
            new = _UPDATES[acting[0][1]](t, acting[0][0])
        elif not pairs and (orphan := _first(by_source, _BY_SOURCE, t, None)) is not None:
            new = _ORPHANS[orphan](t, None)
        else:
            new = t
        result += [] if new is None else [new]
    for s in source:
        if (
            not any(_ON[on](t, s) for t in target)
            and (a := _first(by_target, _BY_TARGET, None, s)) is not None
        ):
            result.append(_INSERTS[a](None, s))
    return result


def _first(clauses: Sequence[tuple[str, str]], conditions: dict[str, Any], t: Any, s: Any) -> str | None:
    return next((action for condition, action in clauses if conditions[condition](t, s)), None)


def _values(rows: Sequence[Row]) -> str:
    texts = [", ".join("cast(null as int)" if v is None else str(v) for v in row) for row in rows]
    return " union all ".join(
        f"select {a} as id, {b} as k, {c} as n" for a, b, c in (t.split(", ") for t in texts)
    )


def _select(rows: Sequence[Row]) -> str:
    none = "select cast(null as int) as id, cast(null as int) as k, cast(null as int) as n where false"
    return _values(rows) or none


_KINDS = st.tuples(
    _clauses(_MATCHED, _UPDATES), _clauses(_BY_TARGET, _INSERTS), _clauses(_BY_SOURCE, _ORPHANS)
).filter(any)
_CASES = st.tuples(_ROWS, _ROWS, st.sampled_from(sorted(_ON)), _KINDS, st.booleans())


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(case=_CASES)
def test_every_merge_does_what_is_documented(
    session: ClientSession, rows: Rows, case: tuple[list[Row], list[Row], str, Any, bool]
) -> None:
    """Guards MERGE against a plain model of it: NULLs, duplicates, every kind of clause, one file and several."""
    target, source, on, kinds, partitioned = case
    parts = "partitioned by (k)" if partitioned else ""
    rows(f"create or replace table g {parts} as {_select(target[:3])}")
    rows(f"insert into g by name {_select(target[3:])}")
    words = ("when matched", "when not matched", "when not matched by source")
    clauses = " ".join(
        f"{word} {condition} then {action}"
        for word, kind in zip(words, kinds, strict=True)
        for condition, action in kind
    )
    statement = f"merge into g as t using ({_select(source)}) as s on {on} {clauses}"
    wanted = _model(target, source, on, kinds)
    before = rows("select id, k, n from g")
    if wanted is None:
        with pytest.raises(SqlError, match="DELTA_MULTIPLE_SOURCE_ROW"):
            rows(statement)
        assert rows("select id, k, n from g") == before, statement
        return
    [(affected, updated, deleted, inserted)] = rows(statement)
    after = rows("select id, k, n from g")
    assert after == sorted(wanted, key=repr), statement
    assert affected == updated + deleted + inserted
    assert len(after) == len(target) - deleted + inserted
    assert not (session.warehouse.layout.table_path("c", "s", "g") / "_staging").exists()


def test_a_merge_of_forty_columns_is_fast(session: ClientSession, rows: Rows) -> None:
    """Guards the cost of wide facts: the engine's own MERGE would plan 40 columns for hours."""
    columns = ", ".join(f"cast(id + {i} as decimal(18, 2)) as c{i}" for i in range(40))
    rows(f"create or replace table wide as select id, {columns} from range(1000)")
    began = time.monotonic()
    merge = (
        f"merge into wide as t using (select id, {columns} from range(900, 1100)) as s on t.id = s.id"
        " when matched then update set * when not matched then insert *"
    )
    assert rows(merge) == [(200, 100, 0, 100)]
    assert time.monotonic() - began < 20
    assert rows("select count(*), count(distinct id), sum(c39) from wide") == [
        (1100, 1100, sum(range(39, 1139)))
    ]


def test_files_without_a_changed_row_stay(session: ClientSession, rows: Rows) -> None:
    """Guards what a MERGE rewrites: the files that it must, however many there are."""
    rows("create or replace table many as select 1 as id, 'a' as v")
    for i in range(2, 6):
        rows(f"insert into many select {i}, 'a'")
    place = session.warehouse.layout.table_path("c", "s", "many")
    before = set(DeltaTable(place).file_uris())
    rows("merge into many t using (select 3 as id) s on t.id = s.id when matched then update set v = 'b'")
    after = set(DeltaTable(place).file_uris())
    assert (len(before - after), len(after - before)) == (1, 1)
    rows("delete from many where id = 4")
    assert len(set(DeltaTable(place).file_uris())) == 4
    version = DeltaTable(place).version()
    assert rows("delete from many where id = 40") == [(0,)]
    assert rows("update many set v = 'c' where v is null") == [(0,)]
    assert DeltaTable(place).version() == version, "a change of nothing is no commit"
    history = DeltaTable(place).history(2)
    assert [commit["operation"] for commit in history] == ["DELETE", "MERGE"]
    metrics = history[1]["operationMetrics"]
    assert {k: int(v) for k, v in metrics.items() if "Rows" in k} == {
        "numTargetRowsInserted": 0,
        "numTargetRowsUpdated": 1,
        "numTargetRowsDeleted": 0,
        "numTargetRowsCopied": 0,
        "numOutputRows": 1,
    }


@pytest.mark.parametrize(
    ("assigned", "error"),
    [
        ("n = 3000000000", "CAST_OVERFLOW"),
        ("id = null", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED"),
        ("n = -1", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES"),
        ("v = 'abcd'", "DELTA_EXCEED_CHAR_VARCHAR_LIMIT"),
        ("w = 1", "DELTA_MERGE_UNRESOLVED_EXPRESSION UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ("n = 1, t.n = 2", "DELTA_CONFLICT_SET_COLUMN"),
    ],
)
def test_what_breaks_a_rule_changes_nothing(
    assigned: str, error: str, session: ClientSession, rows: Rows
) -> None:
    """Guards types, NOT NULL, CHECK and lengths in MERGE and UPDATE: checked before the commit, not taken back after it.

    Where the two have different classes for a fault, both are given, that of MERGE first.
    """
    rows("drop table if exists ruled")
    rows("create table ruled (id int not null, n int, v varchar(3), constraint positive check (n >= 0))")
    rows("insert into ruled values (1, 1, 'a'), (2, 2, 'b')")
    version = DeltaTable(session.warehouse.layout.table_path("c", "s", "ruled")).version()
    merge, _, update = error.partition(" ")
    for statement, expected in (
        (
            f"merge into ruled as t using (select 1 as id) as s on t.id = s.id when matched then update set {assigned}",
            merge,
        ),
        (f"update ruled as t set {assigned} where id = 1", update or merge),
    ):
        with pytest.raises(SqlError) as caught:
            rows(statement)
        assert caught.value.error_class == expected, statement
    assert rows("select * from ruled") == [(1, 1, "a"), (2, 2, "b")]
    assert DeltaTable(session.warehouse.layout.table_path("c", "s", "ruled")).version() == version


def test_schema_evolution(session: ClientSession, rows: Rows) -> None:
    """Guards WITH SCHEMA EVOLUTION: new columns in the same commit, columns that the source lacks kept or NULL."""
    rows("create or replace table evolving as select 1 as id, 'a' as old union all select 2, 'b'")
    source = (
        "(select 1 as id, 'x' as new, current_date() as day union all select 3, 'y', current_date()) as s"
    )
    stars = "when matched then update set * when not matched then insert *"
    with pytest.raises(SqlError, match="DELTA_MERGE_UNRESOLVED_EXPRESSION"):
        rows(f"merge into evolving t using {source} on t.id = s.id {stars}")
    rows(f"merge with schema evolution into evolving t using {source} on t.id = s.id {stars}")
    assert rows("select id, old, new from evolving") == [(1, "a", "x"), (2, "b", None), (3, None, "y")]
    rows(
        "merge with schema evolution into evolving t using (select 2 as id, 5 as extra, 6 as other) as s on t.id = s.id"
        " when matched then update set extra = s.extra"
    )
    assert rows("select id, extra from evolving") == [(1, None), (2, 5), (3, None)]
    assert [row[0] for row in session.execute("describe evolving").table().to_pandas().to_numpy()] == [
        "id",
        "old",
        "new",
        "day",
        "extra",
    ]


def test_names_and_places_that_are_hard(rows: Rows) -> None:
    """Guards names of several parts, of structs and with blanks, and partition values that are no plain text."""
    rows(
        "create or replace table hard partitioned by (p, ts) as select 1 as id, named_struct('a', 1, 'b c', 'x') as v,"
        " 'ü/% =' as p, timestamp'2024-01-02 03:04:05.678' as ts union all select 2, null, null, null"
    )
    rows(
        "merge into c.s.hard using (select 1 as id, 'q' as w union all select 2, 'r') as src on c.s.hard.id = src.id"
        " when matched then update set hard.v.`b c` = src.w"
    )
    assert rows("select id, v.a, v.`b c`, p, ts is null from hard") == [
        (1, 1, "q", "ü/% =", False),
        (2, None, "r", None, True),
    ]
    rows("update hard set p = coalesce(p, 'set') where ts is null")
    assert rows(
        "delete from hard where exists (select 1 from hard h2 where h2.id = 2 and hard.id < h2.id)"
    ) == [(1,)]
    assert rows("select id, p from hard") == [(2, "set")]


@pytest.mark.parametrize("condition", ["o.k <=> n.k", "o.k = n.k and o.id > n.id", "o.id < n.id or n.k = 2"])
def test_replace_on(condition: str, rows: Rows) -> None:
    """Guards INSERT .. REPLACE ON: the rows that match go, all new ones come, whatever the condition is."""
    old, new = "values (1, 1), (2, 1), (3, 2), (4, null) as v(id, k)", "values (0, 1), (9, null) as v(id, k)"
    rows(f"create or replace table o1 as select * from {old}")
    rows(f"create or replace table n1 as select * from {new}")
    wanted = rows(
        f"select * from o1 o where not exists (select 1 from n1 n where {condition}) union all select * from n1"
    )
    rows(f"insert into o1 as o replace on ({condition}) (select * from n1) as n")
    assert rows("select * from o1") == wanted
    rows(f"insert into o1 as o replace on ({condition}) (select * from n1 where false) as n")
    assert rows("select * from o1") == wanted
