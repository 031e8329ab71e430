"""Guards that no run is skipped while a stored mart would come out different at another moment."""

from __future__ import annotations

from typing import Any

import pytest

from orders.cli.clock_readers import clock_readers


def node(
    code: str, materialized: str = "table", *parents: str, kind: str = "model", **meta: Any
) -> dict[str, Any]:
    return {
        "resource_type": kind,
        "compiled_code": code,
        "config": {"materialized": materialized, "meta": meta},
        "depends_on": {"nodes": list(parents)},
    }


def readers(**nodes: dict[str, Any]) -> list[str]:
    named = {name: {**content, "name": name} for name, content in nodes.items()}
    return clock_readers({"nodes": named})


@pytest.mark.parametrize(
    "code",
    [
        "select current_date as today",
        "select CURRENT_TIMESTAMP() as t",
        "select datediff(now(), ordered_at) from a",
        "select unix_timestamp() - x from a",
        "select rand() as r from a",
        "select * from a where user = current_user",
    ],
)
def test_a_table_that_asks_for_the_moment_is_named(code: str) -> None:
    """Guards against a mart that stays as it was while its days pass."""
    assert readers(m=node(code)) == ["m"]
    assert readers(m=node(code, "incremental")) == ["m"]


@pytest.mark.parametrize(
    "code",
    [
        "select 1 -- as of now()",
        "select 'current_date' as text",
        "select t.version, `now` from t",
        "select max_by(a, b), collect_list(c), min(now) from t",
    ],
)
def test_words_that_ask_for_nothing_are_no_finding(code: str) -> None:
    """Guards the skip against a comment, a text or a column of such a name."""
    assert readers(m=node(code)) == []


def test_what_a_view_asks_is_asked_by_the_table_that_reads_it() -> None:
    """Guards the way through views, which keep nothing themselves, and no further than the next stored table."""
    aged = node("select current_date", "view")
    assert readers(v=aged) == []
    assert readers(
        v=aged, w=node("select * from v", "view", "v"), m=node("select * from w", "table", "w")
    ) == ["m"]
    stored = node("select * from v", "table", "v")
    assert readers(v=aged, m=stored, n=node("select * from m", "table", "m")) == ["m"]


def test_an_exported_view_is_kept_in_postgres() -> None:
    """Guards Postgres: what an export has sent does not age with its view."""
    assert readers(e=node("select current_date", "view", export={"key": ["a"]})) == ["e"]
    aged = node("select current_date", "view")
    exported = node("select a from v", "view", "v", export={"key": ["a"]}, takes_no_age="only names")
    assert readers(v=aged, e=exported) == []


def test_a_test_that_asks_for_the_moment_is_named() -> None:
    """Guards tests whose answer of yesterday says nothing about today."""
    assert readers(t=node("select * from a where at > now()", "test", kind="test")) == ["t"]
