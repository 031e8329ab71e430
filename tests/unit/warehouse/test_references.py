"""Guards the replacement of table and view names in queries, and that nothing else of the text changes."""

from __future__ import annotations

import pytest

from local_workspace.sql.references import Source, replace_references, table_names
from local_workspace.sql.sql_error import SqlError

TABLES = {
    ("cat", "s", "t"): "eng.t",
    ("cat", "s", "orders"): "eng.orders",
    ("cat", "other", "t"): "eng2.t",
    ("cat", "s", "select"): "eng.select",
}
VIEWS = {("cat", "s", "v"): "SELECT 1 AS a"}


def resolve(parts: tuple[str, ...]) -> Source | None:
    full = (("cat", "s")[: 3 - len(parts)] + tuple(p.lower() for p in parts))[-3:]
    if full in VIEWS:
        return Source(f"({VIEWS[full]})", True)
    return Source(TABLES[full], False) if full in TABLES else None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t", "SELECT * FROM eng.t"),
        ("select * from `cat`.`S`.`T` x", "select * from eng.t x"),
        ("SELECT t.a FROM t", "SELECT t.a FROM eng.t"),
        ("SELECT cat.s.t.a, s.t.b FROM cat.s.t", "SELECT `t`.a, `t`.b FROM eng.t"),
        ("SELECT * FROM v", "SELECT * FROM (SELECT 1 AS a) AS `v`"),
        ("SELECT * FROM v AS w WHERE w.a = 1", "SELECT * FROM (SELECT 1 AS a) AS w WHERE w.a = 1"),
        (
            "SELECT * FROM v w JOIN v ON true",
            "SELECT * FROM (SELECT 1 AS a) w JOIN (SELECT 1 AS a) AS `v` ON true",
        ),
        ("SELECT * FROM a_cte, t, v, other.t", "SELECT * FROM a_cte, eng.t, (SELECT 1 AS a) AS `v`, eng2.t"),
        ("SELECT t, v, orders FROM t", "SELECT t, v, orders FROM eng.t"),
        (
            "SELECT 'from t', \"from t\" -- from t\nFROM t",
            "SELECT 'from t', \"from t\" -- from t\nFROM eng.t",
        ),
        (
            "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders",
            "WITH orders AS (SELECT * FROM eng.orders) SELECT * FROM orders",
        ),
        (
            "WITH t (a) AS (SELECT 1), v AS (SELECT * FROM t) SELECT * FROM v, orders",
            "WITH t (a) AS (SELECT 1), v AS (SELECT * FROM t) SELECT * FROM v, eng.orders",
        ),
        (
            "SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) x JOIN t ON 1 = 1",
            "SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t) x JOIN eng.t ON 1 = 1",
        ),
        ("SELECT extract(day FROM t) FROM t", "SELECT extract(day FROM t) FROM eng.t"),
        ("SELECT 1 FROM t WHERE a IS DISTINCT FROM t.b", "SELECT 1 FROM eng.t WHERE a IS DISTINCT FROM t.b"),
        ("SELECT * FROM t VERSION AS OF 3", "SELECT * FROM eng.t VERSION AS OF 3"),
        ("TABLE v", "SELECT * FROM (SELECT 1 AS a)"),
        ("TABLE t", "TABLE eng.t"),
        (
            "SELECT (SELECT max(a) FROM t), b FROM orders, t",
            "SELECT (SELECT max(a) FROM eng.t), b FROM eng.orders, eng.t",
        ),
        ("SELECT a FROM t GROUP BY t, v ORDER BY t, v", "SELECT a FROM eng.t GROUP BY t, v ORDER BY t, v"),
        ("SELECT * FROM t(1)", "SELECT * FROM t(1)"),
        ("SELECT * FROM unknown, s.t, delta.`/a/b`", "SELECT * FROM unknown, eng.t, delta.`/a/b`"),
        ("SELECT x FROM (t JOIN v ON true)", "SELECT x FROM (eng.t JOIN (SELECT 1 AS a) AS `v` ON true)"),
        ("SELECT s.t.* FROM s.t", "SELECT `t`.* FROM eng.t"),
        ("SELECT a FROM t UNION ALL TABLE v", "SELECT a FROM eng.t UNION ALL SELECT * FROM (SELECT 1 AS a)"),
        (
            "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT * FROM t",
            "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT * FROM t",
        ),
        ("SELECT * FROM (v) LIMIT 1", "SELECT * FROM ((SELECT 1 AS a) AS `v`) LIMIT 1"),
        ("SELECT * FROM (SELECT 1 FROM `select`)", "SELECT * FROM (SELECT 1 FROM eng.select)"),
    ],
)
def test_queries(sql: str, expected: str) -> None:
    """Guards which words of a query are table names."""
    assert replace_references(sql, resolve, files=lambda _, path: path) == expected


def test_missing_tables_are_named_in_full() -> None:
    """Guards the name in the error, which the engine would cut to its last part."""
    with pytest.raises(SqlError, match=r"\[TABLE_OR_VIEW_NOT_FOUND\] .*`cat`.`s`.`gone`"):
        replace_references("SELECT * FROM cat.s.gone", resolve)


def test_the_tables_of_a_query() -> None:
    """Guards that a name is found whole, and that queries of WITH, functions and comments are no tables."""
    sql = "WITH q AS (SELECT 1) SELECT a.`b.c` FROM x . y /* z.w */ JOIN `p`, q, range(3)"
    assert set(table_names(sql)) == {("x", "y"), ("p",)}
    assert list(table_names("SELEC 1")) == []
