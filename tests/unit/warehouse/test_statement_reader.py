"""Guards the reading of SQL text: tokens, literals, lists, pairs, and names with everything that may stand around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import (
    StatementReader,
    property_pairs,
    split_items,
    strip_statement,
)
from local_workspace.sql.tokens import quote_identifier, quote_string, string_value, tokenize

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(TEXT)
def test_any_string_survives_quoting(value: str) -> None:
    """Guards against injection and loss: what is quoted is one token with the same value."""
    tokens = tokenize(f"SELECT {quote_string(value)} AS x")
    assert [t.kind for t in tokens] == ["word", "string", "word", "word"]
    assert tokens[1].value == value


@given(TEXT.filter(bool))
def test_any_identifier_survives_quoting(name: str) -> None:
    """Guards identifiers with backticks, quotes and comment signs in them."""
    tokens = tokenize(f"{quote_identifier(name)}.x -- `end`")
    assert [t.value for t in tokens] == [name, ".", "x"]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r"'a\\b\n\t\u0041'", "a\\b\n\tA"),
        (r"r'a\nb'", r"a\nb"),
        ('"double ""quoted"""', 'double "quoted"'),
        ("''", ""),
    ],
)
def test_string_literals(literal: str, value: str) -> None:
    """Guards the escapes of Databricks' string literals."""
    assert string_value(literal) == value


def test_identifiers_may_begin_with_a_digit() -> None:
    """Guards dbt's generated constraint names, which are hashes: `4d115a76`, `75fca8`, `1e5`."""
    found = [(t.kind, t.text) for t in tokenize("CONSTRAINT 4d115a76 4d 75fca8 1e5 1.5bd 10L .5 a1")]
    assert found[1:] == [
        ("word", "4d115a76"),
        ("number", "4d"),
        ("word", "75fca8"),
        ("number", "1e5"),
        ("number", "1.5bd"),
        ("number", "10L"),
        ("number", ".5"),
        ("word", "a1"),
    ]


def test_comments_and_semicolons_are_no_part_of_a_statement() -> None:
    """Guards the comment that dbt puts before each statement, and closing semicolons."""
    text = '/* {"app": "dbt", "q": "it\'s; -- not"} */\n-- first\nSELECT 1 -- last\n ; ;'
    assert strip_statement(text) == "SELECT 1"
    assert strip_statement("-- nothing") == ""


def test_lists_split_outside_brackets_only() -> None:
    """Guards nested types and functions in lists."""
    assert split_items(
        "a INT, b ARRAY<STRUCT<x: INT, y: DECIMAL(1,2)>>, c MAP<A, B>, ',', f(1, [2, 3]), x > 0, y < 1"
    ) == [
        "a INT",
        "b ARRAY<STRUCT<x: INT, y: DECIMAL(1,2)>>",
        "c MAP<A, B>",
        "','",
        "f(1, [2, 3])",
        "x > 0",
        "y < 1",
    ]


def test_properties() -> None:
    """Guards keys with and without quotes and dots, and tags without a value."""
    text = "'quality' = 'gold', delta.x.y = 3, `a` = 'it''s', 'pii', 'b' = ''"
    assert property_pairs(text) == {"quality": "gold", "delta.x.y": "3", "a": "it's", "pii": "", "b": ""}
    with pytest.raises(SqlError, match="PARSE_SYNTAX_ERROR"):
        property_pairs("'key' gold")


def test_a_reader_reports_what_it_did_not_expect() -> None:
    """Guards the text of syntax errors."""
    reader = StatementReader("DROP TABLE t extra")
    reader.expect("DROP", "TABLE")
    assert reader.dotted_name() == ("t",)
    with pytest.raises(SqlError, match="at or near 'extra'"):
        reader.end()
    with pytest.raises(SqlError, match="end of input"):
        StatementReader("").next()
