"""Guards statements of several queries: one moment for all of them, and no rows chosen by chance."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from local_workspace.sql.dialect import peek
from local_workspace.sql.moments import at_moment, chance_in, is_volatile

MOMENT = datetime(2024, 2, 29, 10, 20, 30, 123456, tzinfo=timezone.utc)
NOW = "timestamp_micros(1709202030123456)"


def test_every_word_for_the_present_is_one_moment() -> None:
    """Guards functions with and without parentheses; texts, columns and functions of other times stay."""
    sql = (
        "SELECT 'now()', now() AS a, current_timestamp, current_timestamp() - d, current_date, curdate(), localtimestamp,"
        " unix_timestamp(), unix_timestamp(d), t.localtimestamp FROM t -- now()"
    )
    assert at_moment(sql, MOMENT) == (
        f"SELECT 'now()', {NOW} AS a, {NOW}, {NOW} - d, CAST({NOW} AS DATE), CAST({NOW} AS DATE),"
        f" CAST({NOW} AS TIMESTAMP_NTZ), 1709202030L, unix_timestamp(d), t.localtimestamp FROM t"
    )
    for other in ("SELECT current_user() FROM t", "SELECT a FROM t", "now( is no SQL"):
        assert at_moment(other, MOMENT) == other


def test_conditions_by_chance_are_found() -> None:
    """Guards the name that a refusal tells."""
    assert chance_in("a > 1 AND rand() < b") == "rand"
    assert chance_in("uuid() = a") == "uuid"
    assert chance_in("a > now()") is None


@pytest.mark.parametrize(
    "sql",
    ["SELECT current_date", "SELECT localtimestamp", "SELECT current_time", "SELECT session_user, a FROM t"],
)
def test_a_function_without_brackets_is_one_all_the_same(sql: str) -> None:
    """Guards materialized views that would stay as they are: to the grammar, some of these words are columns."""
    assert is_volatile(peek(sql))


@pytest.mark.parametrize(
    "sql", ["SELECT `localtimestamp` FROM t", "SELECT t.localtimestamp FROM t", "SELECT now FROM t"]
)
def test_a_column_of_such_a_name_is_none(sql: str) -> None:
    """Guards columns that a table has."""
    assert not is_volatile(peek(sql))
    assert at_moment(sql, MOMENT) == sql
