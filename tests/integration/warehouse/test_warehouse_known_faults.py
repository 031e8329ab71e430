"""What the engine alone gets wrong and the warehouse gets right; each test shows both, so a better engine is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_workspace.catalog import TableName
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.statement_run import ClientSession

Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def alone(session: ClientSession) -> Rows:
    """The engine without the warehouse's help."""
    return lambda sql: sorted((tuple(row) for row in session.engine.spark.sql(sql).collect()), key=repr)


_TOTALS = "(SELECT 'a' AS kind, sum(n) AS v FROM {0} UNION ALL SELECT 'b' AS kind, count(*) AS v FROM {0})"
_QUERIES = {
    "union": (f"SELECT kind, v FROM {_TOTALS} WHERE kind = 'a'", [("a", 6)]),
    "second branch": (f"SELECT kind, v FROM {_TOTALS} WHERE kind = 'b'", [("b", 3)]),
    "none left": (
        "SELECT count(*) AS c FROM (SELECT 'a' AS kind, count(*) AS v FROM {0}) WHERE kind = 'z'",
        [(0,)],
    ),
    "join": (
        "SELECT o.n, s.v FROM {0} AS o LEFT JOIN (SELECT 'a' AS kind, count(*) AS v FROM {0}) AS s ON s.kind = 'z'",
        [(1, None), (2, None), (3, None)],
    ),
    "literal above": (
        "SELECT * FROM (SELECT date'2020-01-01' AS d, v FROM (SELECT max(n) AS v FROM {0})) WHERE d > date'2021-01-01'",
        [],
    ),
    "rollup": (
        "SELECT * FROM (SELECT 'a' AS kind, n, count(*) AS v FROM {0} GROUP BY ROLLUP (n)) WHERE kind = 'z'",
        [],
    ),
}


@pytest.mark.parametrize("case", _QUERIES)
def test_a_filter_on_a_literal_column_of_an_aggregation(
    case: str, session: ClientSession, rows: Rows, alone: Rows
) -> None:
    """Guards the smallest forms in which Sail 0.7.2 moves a filter below an aggregation without GROUP BY."""
    query, right = _QUERIES[case]
    rows("CREATE OR REPLACE TABLE numbers AS SELECT * FROM VALUES (1), (2), (3) AS v(n)")
    rows("CREATE OR REPLACE VIEW seen AS SELECT n FROM numbers")
    assert rows(query.format("numbers")) == right
    assert rows(query.format("seen")) == right
    values = "(SELECT * FROM VALUES (1), (2), (3) AS v(n))"
    assert alone(query.format(values)) != right, "the engine has learned it: the rewrite can go"


@pytest.mark.parametrize(
    ("call", "right"),
    [("percentile_approx(n, 0.5)", 2), ("approx_percentile(n, 0.5)", 2)],
)
def test_functions_that_are_wrong_are_refused(
    call: str, right: int, session: ClientSession, alone: Rows
) -> None:
    """Guards the list of refused functions, and that it is still needed."""
    query = f"SELECT {call} FROM (SELECT * FROM VALUES (1), (2), (3), (4) AS v(n))"
    with pytest.raises(SqlError, match="UNSUPPORTED_FEATURE") as refused:
        session.execute(query)
    assert call.partition("(")[0] in str(refused.value)
    assert alone(query)[0][0] != right, "the engine has learned it: the refusal can go"


_NOT_IN = {
    "literal": "2 NOT IN (SELECT y FROM {0})",
    "row": "(x, 1) NOT IN (SELECT y, 1 FROM {0})",
    "or": "x NOT IN (SELECT y FROM {0}) OR x = 3",
}


@pytest.mark.parametrize("form", _NOT_IN)
def test_not_in_over_nulls(form: str, session: ClientSession, rows: Rows, alone: Rows) -> None:
    """Guards NOT IN over a NULL, which is never true: right in its plain form, refused where the engine is wrong."""
    values, nulls = "(SELECT * FROM VALUES (2), (3) AS w(x))", "(SELECT * FROM VALUES (3), (NULL) AS v(y))"
    assert rows(f"SELECT x FROM {values} WHERE x NOT IN (SELECT y FROM {nulls})") == []
    query = f"SELECT x FROM {values} WHERE {_NOT_IN[form].format(nulls)}"
    with pytest.raises(SqlError, match="NOT EXISTS"):
        session.execute(query)
    assert (2,) in alone(query), "the engine has learned it: the refusal can go"


_SELF = {
    "query": "(SELECT id + 1 AS id, k, n + 1 AS n FROM t)",
    "table": "t",
    "view": "grown",
    "with": "(WITH g AS (SELECT * FROM grown) SELECT g.* FROM g)",
    "subquery": "(SELECT id, k, n FROM o WHERE n > (SELECT max(n) - 15 FROM t))",
    "time travel": "(SELECT id + 2 AS id, k, n FROM t VERSION AS OF 0)",
    "groups": "(SELECT k AS id, k, sum(n) AS n FROM t GROUP BY k)",
    "untyped": "(SELECT id + 9 AS id, k, NULL AS n FROM t)",
}


@pytest.mark.parametrize("source", _SELF)
def test_a_merge_whose_source_reads_its_target(source: str, session: ClientSession, rows: Rows) -> None:
    """Guards that the source is taken before the target changes: as a MERGE from a table that was made beforehand."""
    rows("DROP TABLE IF EXISTS t")
    rows(
        "CREATE TABLE t PARTITIONED BY (k) AS SELECT * FROM VALUES (1, 1, 10), (2, 0, 20), (3, 1, 30) AS v(id, k, n)"
    )
    rows("CREATE OR REPLACE TABLE o AS SELECT * FROM VALUES (3, 1, 5), (4, 0, 50) AS v(id, k, n)")
    rows("CREATE OR REPLACE VIEW grown AS SELECT id + 1 AS id, k, n + 1 AS n FROM t")
    rows(f"CREATE OR REPLACE TABLE beforehand AS SELECT id, k, cast(n AS int) AS n FROM {_SELF[source]}")
    merge = (
        "MERGE INTO t USING {} AS s ON t.id = s.id AND t.k = s.k WHEN MATCHED THEN UPDATE SET n = s.n"
        " WHEN NOT MATCHED THEN INSERT (id, k, n) VALUES (s.id, s.k, s.n)"
    )
    old = rows("SELECT * FROM t")
    rows(merge.format("beforehand"))
    right = rows("SELECT * FROM t")
    rows("RESTORE TABLE t TO VERSION AS OF 0")
    assert rows("SELECT * FROM t") == old
    rows(merge.format(_SELF[source]))
    assert rows("SELECT * FROM t") == right
    folder = session.warehouse.layout.table_path("c", "s", "t")
    assert not (folder / "_staging").exists()


def test_a_merge_that_the_engine_alone_cannot_plan(session: ClientSession, rows: Rows, alone: Rows) -> None:
    """Guards the reason for staging: an insert-only MERGE of the target's own groups into a partitioned table."""
    rows("DROP TABLE IF EXISTS p")
    rows("CREATE TABLE p PARTITIONED BY (k) AS SELECT * FROM VALUES (1, 1, 10), (5, 0, 20) AS v(id, k, n)")
    folder = session.warehouse.layout.table_path("c", "s", "p")
    merge = (
        "MERGE INTO {0} AS t USING (SELECT k AS id, k, sum(n) AS n FROM {0} GROUP BY k) AS s ON t.id = s.id"
        " WHEN NOT MATCHED THEN INSERT (id, k, n) VALUES (s.id, s.k, s.n)"
    )
    with pytest.raises(Exception, match="planning"):
        alone(merge.format(session.engine.table(TableName("c", "s", "p"), folder)))
    rows(merge.format("p"))
    assert rows("SELECT id, k, n FROM p") == [(0, 0, 20), (1, 1, 10), (5, 0, 20)]


def test_what_a_killed_merge_leaves_is_read_by_nobody(
    session: ClientSession, rows: Rows, tmp_path: Path
) -> None:
    """Guards the stage of a MERGE after kill -9: no reader sees it, and the next writer deletes it."""
    rows("CREATE OR REPLACE TABLE t AS SELECT * FROM VALUES (1, 10) AS v(id, n)")
    folder = session.warehouse.layout.table_path("c", "s", "t")
    left = folder / "_staging" / "left"
    session.engine.spark.sql("SELECT 7 AS id, 7 AS n").write.format("delta").save(str(left))
    assert rows("SELECT * FROM t") == [(1, 10)]
    rows("MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n + 1")
    assert rows("SELECT * FROM t") == [(1, 11)]
    assert not (folder / "_staging").exists()


@pytest.mark.parametrize(
    "condition",
    [
        "array_contains(names, 'a')",
        "exists(names, x -> x = 'a')",
        "id > 0 and size(filter(names, x -> x = 'a')) = 1",
    ],
)
def test_a_lambda_in_a_condition_on_a_table(condition: str, session: ClientSession, rows: Rows) -> None:
    """Guards `orders quarantine replay --rule`: the engine resolves no column in a lambda pushed into the scan."""
    session.execute(
        "create or replace table named as select 1 id, array('a', 'b') names union all select 2, array('b')"
    )
    assert rows(f"select id from named where {condition}") == [(1,)]
    assert rows(f"select count(*) from named n where not ({condition})") == [(1,)]
