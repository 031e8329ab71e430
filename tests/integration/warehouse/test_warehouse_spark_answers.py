"""The warehouse answers as Apache Spark 4.2.1 does, values and types; its answers stand in a file, so no Java is needed.

Arrow has one type for all intervals of days and seconds, so the file has, too.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.pandas.types import from_arrow_schema

from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.statement_run import ClientSession

_ANSWERS = json.loads((Path(__file__).parent / "spark_answers.json").read_text())


def _answer(session: ClientSession, sql: str) -> tuple[list[str], list[list[str]]]:
    table = session.execute(sql).table()
    schema = from_arrow_schema(table.schema)
    rows = ArrowTableToRowsConversion.convert(table, schema)
    return [f.dataType.simpleString() for f in schema.fields], [[repr(v) for v in row] for row in rows]


def test_values_and_types_are_those_of_spark(session: ClientSession) -> None:
    """Guards every expression and query that was asked of Apache Spark, and that a wrong answer comes back in silence."""
    wrong = []
    for asked in _ANSWERS:
        try:
            types, rows = _answer(session, asked["sql"])
        except SqlError as error:
            wrong.append(f"{asked['sql']}\n  {error}")
            continue
        if (types, rows) != (asked["types"], asked["rows"]):
            wrong.append(f"{asked['sql']}\n  Spark {asked['types']} {asked['rows']}\n  here  {types} {rows}")
    assert not wrong, "\n".join(wrong)


_MISMATCHES = [
    "'42' + '2'",
    "'42' / null",
    "true / 7",
    "timestamp'2024-02-29 10:00:00' / 7",
    "7 / interval 36 hours",
    "2.5D div 7",
    "7 = date'2024-02-29'",
    "map('a', 1) = map('a', 1)",
    "map('a', 1) || 'x'",
    "cast(7 as date)",
    "cast(7 as timestamp_ntz)",
    "try_cast(date'2024-02-29' as int)",
    "cast(interval 36 hours as double)",
    "array(1, 'a', date'2024-02-29')",
    "if(true, 7, date'2024-02-29')",
    "coalesce(array(1), '42')",
    "7 in (date'2024-02-29', 7)",
    "case when true then 1 else timestamp'2024-02-29 10:00:00' end",
]


@pytest.mark.parametrize("expression", _MISMATCHES)
def test_types_that_do_not_go_together_are_refused(expression: str, session: ClientSession) -> None:
    """Guards the refusals of Spark's ANSI mode, where the engine alone finds some answer."""
    with pytest.raises(SqlError, match=r"DATATYPE_MISMATCH"):
        session.execute(f"SELECT {expression} AS x").table()


def test_a_column_with_a_lambda_can_be_filtered_on(session: ClientSession) -> None:
    """Guards a lambda within a subquery or view over a table, which the engine pushes into the scan, where it fails."""
    session.execute(
        "CREATE OR REPLACE TABLE lists AS SELECT 1 AS id, array(1, 2, 3) AS a UNION ALL SELECT 2, array(0)"
    )
    session.execute("CREATE OR REPLACE VIEW large AS SELECT id, filter(a, v -> v > 1) AS b FROM lists")
    for source in ("(SELECT id, filter(a, v -> v > 1) AS b FROM lists)", "large"):
        found = session.execute(f"SELECT id, size(b) AS n FROM {source} WHERE size(b) > 0").table()
        assert found.to_pylist() == [{"id": 1, "n": 2}]


_OVERFLOWS = {
    "INT": "SELECT a + 1 FROM numbers",
    "BIGINT": "SELECT b + 1 FROM numbers",
    "product": "SELECT b * 2 FROM numbers",
    "negation": "SELECT -(-a - 1) FROM numbers",
    "sum": "SELECT sum(b) FROM (SELECT b FROM numbers UNION ALL SELECT b FROM numbers)",
    "window": "SELECT sum(b) OVER () FROM (SELECT b FROM numbers UNION ALL SELECT b FROM numbers)",
    "DECIMAL": "SELECT sum(d) FROM (SELECT d FROM numbers UNION ALL SELECT d FROM numbers)",
}


@pytest.mark.parametrize("case", _OVERFLOWS)
def test_no_number_wraps_around(case: str, session: ClientSession) -> None:
    """Guards ANSI arithmetic on columns of a table: an overflow is an error, of Spark's class, and never a number."""
    session.execute(
        "CREATE OR REPLACE TABLE numbers AS SELECT 2147483647 AS a, 9223372036854775807 AS b,"
        " CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)) AS d"
    )
    with pytest.raises(SqlError, match=r"OVERFLOW|OUT_OF_RANGE"):
        session.execute(_OVERFLOWS[case]).table()


def test_ratios_of_columns_keep_the_digits_of_spark(session: ClientSession) -> None:
    """Guards the scale of decimal division over tables and views, on which every ratio in a contract depends."""
    session.execute(
        "CREATE OR REPLACE TABLE sales AS SELECT CAST(p AS DECIMAL(18,2)) AS price, 3 AS n FROM VALUES (10), (20) AS v(p)"
    )
    session.execute(
        "CREATE OR REPLACE VIEW prices AS SELECT price / n AS each, avg(price) OVER () AS mean FROM sales"
    )
    assert _answer(session, "SELECT each, mean FROM prices ORDER BY each") == (
        ["decimal(29,13)", "decimal(22,6)"],
        [
            ["Decimal('3.3333333333333')", "Decimal('15.000000')"],
            ["Decimal('6.6666666666667')", "Decimal('15.000000')"],
        ],
    )


def test_qualify_leaks_no_column(session: ClientSession) -> None:
    """Guards QUALIFY in tables and views: rows are chosen before LIMIT and DISTINCT, and only named columns are there."""
    session.execute(
        "CREATE OR REPLACE TABLE events AS SELECT * FROM VALUES (1, 1), (1, 2), (2, 5) AS v(a, b)"
    )
    latest = "SELECT *, b + 1 AS c FROM events QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC) = 1"
    session.execute(f"CREATE OR REPLACE VIEW latest AS {latest}")
    session.execute(f"CREATE OR REPLACE TABLE kept AS {latest}")
    for name in ("latest", "kept"):
        assert session.execute(f"SELECT * FROM {name} ORDER BY a LIMIT 2").table().to_pylist() == [
            {"a": 1, "b": 2, "c": 3},
            {"a": 2, "b": 5, "c": 6},
        ]


_ERRORS = {
    "selec 1": ("PARSE_SYNTAX_ERROR", "line 1, pos 0"),
    "SELECT * form t": ("PARSE_SYNTAX_ERROR", "line 1, pos 14"),
    "SELECT 1,\n  b FROM VALUES (1) AS t(a)": ("UNRESOLVED_COLUMN.WITH_SUGGESTION", "line 2 pos 2"),
    "SELECT a, count(*) FROM VALUES (1) AS t(a)": ("MISSING_GROUP_BY", "line 1 pos 0"),
    "SELECT a, b, count(*) FROM VALUES (1, 2) AS t(a, b) GROUP BY a": (
        "MISSING_AGGREGATION",
        "line 1 pos 10",
    ),
    "SELECT id FROM VALUES (1) AS t(id), VALUES (2) AS u(id)": ("AMBIGUOUS_REFERENCE", "line 1 pos 7"),
    "SELECT a FROM VALUES (1) AS t(a) UNION ALL SELECT 1, 2": ("NUM_COLUMNS_MISMATCH", ""),
    "SELECT array(1, 2)[5]": ("INVALID_ARRAY_INDEX", ""),
    "SELECT element_at(array(1, 2), 5)": ("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", ""),
    "SELECT CAST(2147483648 AS INT)": ("CAST_OVERFLOW", ""),
    "SELECT 2147483647 + 1": ("ARITHMETIC_OVERFLOW", ""),
    "SELECT CAST(12345.678 AS DECIMAL(5,2))": ("NUMERIC_VALUE_OUT_OF_RANGE", ""),
    "SELECT foo(1)": ("UNRESOLVED_ROUTINE", "line 1 pos 7"),
    "SELECT 5 % 0": ("REMAINDER_BY_ZERO", ""),
    "SELECT 1 FROM VALUES (1) AS t(a) WHERE sum(a) > 1": ("INVALID_WHERE_CONDITION", ""),
    "SELECT sum(sum(a)) FROM VALUES (1) AS t(a)": ("NESTED_AGGREGATE_FUNCTION", ""),
    "SELECT raise_error('boom')": ("USER_RAISED_EXCEPTION", ""),
    "SELECT * FROM VALUES (1), (1, 2)": ("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", ""),
}


@pytest.mark.parametrize("sql", _ERRORS)
def test_errors_have_the_class_that_databricks_gives(sql: str, session: ClientSession) -> None:
    """Guards what clients decide by, and where the reader is sent to look."""
    error_class, place = _ERRORS[sql]
    with pytest.raises(SqlError) as failed:
        session.execute(sql).table()
    assert failed.value.error_class.startswith(error_class)
    assert place in str(failed.value)


def test_varchar_and_char_keep_their_length(session: ClientSession) -> None:
    """Guards declared lengths in every statement that writes: too long a text is refused, blanks do not count."""
    session.execute("DROP TABLE IF EXISTS codes")
    session.execute("CREATE TABLE codes (id INT, v VARCHAR(3), c CHAR(3))")
    session.execute("INSERT INTO codes VALUES (1, 'abc  ', 'x')")
    assert session.execute("SELECT v, c FROM codes").table().to_pylist() == [{"v": "abc", "c": "x  "}]
    described = session.execute("DESCRIBE TABLE codes").table().to_pydict()["data_type"]
    assert described[:3] == ["int", "varchar(3)", "char(3)"]
    for statement in (
        "INSERT INTO codes VALUES (2, 'abcdef', 'x')",
        "INSERT INTO codes VALUES (2, 'a', 'abcdef')",
        "UPDATE codes SET v = 'abcdef' WHERE id = 1",
        "MERGE INTO codes USING (SELECT 1 AS id) AS s ON codes.id = s.id WHEN MATCHED THEN UPDATE SET v = 'abcdef'",
    ):
        with pytest.raises(SqlError, match="DELTA_EXCEED_CHAR_VARCHAR_LIMIT"):
            session.execute(statement)
    assert session.execute("SELECT count(*) AS n FROM codes WHERE v = 'abc'").table().to_pylist() == [
        {"n": 1}
    ]


def test_a_double_goes_into_a_decimal_column_as_spark_puts_it(session: ClientSession) -> None:
    """Guards money: 550.435 is rounded half up by its decimal form, in INSERT as in CAST."""
    session.execute("DROP TABLE IF EXISTS prices_in")
    session.execute("CREATE TABLE prices_in (d DECIMAL(18,2), s STRING)")
    session.execute("INSERT INTO prices_in SELECT 550.435D, 1e20D")
    assert session.execute("SELECT CAST(d AS STRING) AS d, s FROM prices_in").table().to_pylist() == [
        {"d": "550.44", "s": "1.0E20"}
    ]


def test_statements_that_change_rows_compute_as_queries_do(session: ClientSession) -> None:
    """Guards UPDATE and MERGE: their columns have types, too, so an overflow is an error and a double is rounded right."""
    session.execute("DROP TABLE IF EXISTS counted")
    session.execute("CREATE TABLE counted (id INT, d DECIMAL(10,2), n BIGINT)")
    session.execute("INSERT INTO counted VALUES (1, 1.50, 9223372036854775807), (2, 3.00, 5)")
    with pytest.raises(SqlError, match="ARITHMETIC_OVERFLOW"):
        session.execute("UPDATE counted SET n = n + 1 WHERE id = 1")
    session.execute("UPDATE counted SET d = 550.435D WHERE id = 1")
    session.execute(
        "MERGE INTO counted AS t USING (SELECT 2 AS id, 2.675D AS x) AS s ON t.id = s.id"
        " WHEN MATCHED THEN UPDATE SET d = s.x"
    )
    rows = session.execute("SELECT CAST(d AS STRING) AS d, n FROM counted ORDER BY id").table().to_pylist()
    assert rows == [{"d": "550.44", "n": 9223372036854775807}, {"d": "2.68", "n": 5}]


_SERVED = {
    'SELECT v:a.b, v:c[0]::int + 1 AS n FROM VALUES (\'{"a":{"b":1},"c":[1]}\') AS t(v)': [
        {"b": "1", "n": 2}
    ],
    "SELECT v:a::int AS a FROM (SELECT parse_json('{\"a\":1}') AS v)": [{"a": 1}],
    "SELECT identifier('n') FROM identifier('c.s.' || 'served')": [{"n": 1}],
    "SELECT * FROM ending": [{"n": 1}],
    "SELECT * EXCEPT (n) FROM (SELECT *, n AS m FROM served)": [{"m": 1}],
    "SELECT iff(n > 0, 'yes', 'no') AS x FROM served": [{"x": "yes"}],
    "SELECT 'it''s' AS x": [{"x": "it's"}],
}


@pytest.mark.parametrize("sql", _SERVED)
def test_everyday_sql_is_served(sql: str, session: ClientSession) -> None:
    """Guards what Databricks has and Apache Spark has not in this form: paths, names as texts, comments at the end."""
    session.execute("CREATE OR REPLACE TABLE served AS SELECT 1 AS n")
    session.execute("CREATE OR REPLACE VIEW ending AS SELECT n FROM served -- the end")
    assert session.execute(sql).table().to_pylist() == _SERVED[sql]
