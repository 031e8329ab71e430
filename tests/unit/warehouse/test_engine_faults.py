"""Guards which queries are put in another way for the engine, and which are refused."""

from __future__ import annotations

import re

import pytest

from local_workspace.errors import NotSupported
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql.translation import for_engine
from local_workspace.sql_warehouse.statements.merge_statement import read_merge


def avoid(sql: str, *, nested: bool = False) -> str:
    return for_engine(sql, lambda _name: None, nested=nested)


@pytest.mark.parametrize(
    "marked",
    [
        "SELECT * FROM (SELECT 'a' AS k, count(*) AS n FROM t{ LIMIT 1}) WHERE k = 'z'",
        """WITH u AS (SELECT 'a' AS k, sum(n) v FROM t UNION ALL SELECT 'b', count(*) FROM t{ LIMIT 9223372036854775807})
            SELECT v FROM u WHERE k = 'a'""",
        """SELECT * FROM (SELECT current_date AS d, v FROM (SELECT coalesce(max(n), 0) v FROM t{ LIMIT 1}))
            WHERE d > '2020-01-01'""",
        """SELECT * FROM o LEFT JOIN (SELECT 1 one, g, sum(n) FROM t GROUP BY ROLLUP (g){ LIMIT 9223372036854775807}) s
            ON s.one = 2""",
    ],
)
def test_aggregations_that_a_filter_could_be_moved_below(marked: str) -> None:
    """Guards the rewrite: a LIMIT that changes nothing, only on aggregations without GROUP BY, and around a union.

    What stands in braces is put in.
    """
    assert avoid(re.sub(r"\{.*?\}", "", marked)) == re.sub(r"[{}]", "", marked)


def test_views_are_read_by_queries_that_nobody_sees_here() -> None:
    """Guards a view that aggregates all rows: what filters it stands in another text."""
    view = "SELECT 'a' AS k, count(*) AS n FROM t -- all"
    assert avoid(view, nested=True) == "SELECT 'a' AS k, count(*) AS n FROM t LIMIT 1"
    assert avoid("(SELECT max(n) AS n FROM t)", nested=True) == "(SELECT max(n) AS n FROM t LIMIT 1)"
    plain = "SELECT g, count(*) AS n FROM t WHERE n > (SELECT max(n) FROM u) GROUP BY g"
    assert avoid(plain, nested=True) == plain


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM (SELECT 'a' AS k, g, count(*) AS n FROM t GROUP BY g) WHERE k = 'z'",
        "SELECT * FROM (SELECT max(g) AS k, count(*) AS n FROM t) WHERE k = 'z'",
        "SELECT * FROM (SELECT 'a' AS k, n, sum(n) OVER (PARTITION BY g) FROM t) WHERE k = 'z'",
        "SELECT 'a' AS k, count(*) FROM t WHERE n > 1",
        "SELECT * FROM (SELECT 'count(' AS k, n AS `count` FROM t) WHERE k = 'z'",
        "SELECT CASE WHEN a OR b THEN 1 END FROM t WHERE lower(x) NOT IN (SELECT y FROM u) AND c = 1",
        "SELECT json.`a b` FROM t AS json",
        "SELECT * FROM t, LATERAL (SELECT t.n + 1 AS m) AS x",
        "SELECT x FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x = t.x) OR c = 1",
    ],
)
def test_queries_that_the_engine_answers_rightly_stay_as_they_are(query: str) -> None:
    """Guards against rewriting, or refusing, what needs no help."""
    assert avoid(query) == query


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT percentile_approx(n, 0.5) FROM t", "percentile"),
        ("SELECT approx_percentile(n, 0.5) FROM t", "percentile"),
        ("SELECT 1 WHERE 2 NOT IN (SELECT y FROM u)", "NOT EXISTS"),
        ("SELECT * FROM t, LATERAL (SELECT max(u.n) AS m FROM u WHERE u.k = t.k) AS x", "LATERAL"),
        ("SELECT get_json_object(j, '$.a[*]') FROM t", "from_json"),
        ("SELECT lpad(s, 1000000000, 'x') FROM t", "lpad"),
        ("SELECT 1 WHERE NOT (2 IN (SELECT y FROM u))", "NOT EXISTS"),
        ("SELECT x FROM t WHERE (x, 1) NOT IN (SELECT y, z FROM u)", "NOT EXISTS"),
        ("SELECT x FROM t WHERE a = 1 OR (b = 2 AND x NOT IN (SELECT y FROM u))", "NOT EXISTS"),
        ("SELECT * FROM json.`/Volumes/c/s/v/a.json`", "Auto Loader"),
        ("SELECT x FROM t WHERE EXISTS (SELECT count(*) FROM u WHERE u.x = t.x)", "EXISTS"),
    ],
)
def test_what_has_no_other_way_is_refused_by_name(query: str, named: str) -> None:
    """Guards against wrong rows in silence: the refusal names the construct or the way out."""
    with pytest.raises(NotSupported, match=named):
        avoid(query)


@pytest.mark.parametrize(
    ("source", "alias"),
    [
        ("c.s.o", "o"),
        ("`o` AS n", "n"),
        ("(SELECT 1 AS a FROM x JOIN y USING (b) WHERE a IN (SELECT 1)) n", "n"),
        ("(SELECT 1) AS n(a, b)", "n"),
        ("o VERSION AS OF 3 n", "n"),
    ],
)
def test_where_the_source_of_a_merge_begins_and_ends(source: str, alias: str) -> None:
    """Guards the text that is staged when a source reads the target, and the name by which the rest refers to it."""
    reader = StatementReader(f"MERGE INTO t AS x USING {source} ON x.a = n.a WHEN MATCHED THEN DELETE")
    found = read_merge(reader)
    assert (found.source, found.source_alias) == (source, alias)


@pytest.mark.parametrize(
    ("query", "error_class"),
    [
        ("SELECT explode(a), posexplode(b) FROM t", "UNSUPPORTED_GENERATOR.MULTI_GENERATOR"),
        ("SELECT explode(a) + 1 FROM t", "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS"),
        ("SELECT 1 FROM t WHERE explode(a)", "UNSUPPORTED_GENERATOR.OUTSIDE_SELECT"),
        ("WITH a AS (SELECT 1), A AS (SELECT 2) SELECT * FROM a", "DUPLICATED_CTE_NAMES"),
    ],
)
def test_what_spark_refuses_is_refused(query: str, error_class: str) -> None:
    """Guards Spark's classes for what the engine alone would answer."""
    with pytest.raises(SqlError) as caught:
        avoid(query)
    assert caught.value.error_class == error_class


def test_one_generator_in_each_select_is_none_too_many() -> None:
    """Guards against refusing generators of several queries, or beside other columns."""
    query = "SELECT id, explode(a) AS x FROM (SELECT id, explode(b) AS a FROM t) WHERE id IN (SELECT explode(c) FROM u)"
    assert avoid(query) == query
