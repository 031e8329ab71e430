"""Guards where the parts of a MERGE begin and end, and what is refused before anything is read."""

from __future__ import annotations

import pytest

from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.statements.merge_statement import (
    Assignment,
    Clause,
    Match,
    read_merge,
)


def test_every_clause() -> None:
    """Guards conditions with CASE, IN and columns called like keywords, and every form of what is assigned."""
    statement = read_merge(
        StatementReader(
            "merge with schema evolution into a.b.t as x using (select 1 as id on_) as s\n"
            "on x.id <=> s.id and case when s.id > 1 then true else x.when = 1 end\n"
            "when matched and s.end > 1 and `when` then update set *\n"
            "when matched and case x.a when 1 then true end\n"
            "then update set x.a = s.a + 1, b.c = case when a then (2, 3) end\n"
            "when matched then delete\n"
            "when not matched by target and s.id in (1, 2) then insert *\n"
            "when not matched then insert (id, `b c`) values (s.id, default)\n"
            "when not matched by source and x.q then update set v = v[0]\n"
            "when not matched by source then delete"
        )
    )
    assert (statement.target, statement.target_alias, statement.evolves) == (("a", "b", "t"), "x", True)
    assert (statement.source, statement.source_alias) == ("(select 1 as id on_) as s", "s")
    assert statement.condition == "x.id <=> s.id and case when s.id > 1 then true else x.when = 1 end"
    assert statement.clauses == (
        Clause(Match.MATCHED, "s.end > 1 and `when`", "UPDATE", None),
        Clause(
            Match.MATCHED,
            "case x.a when 1 then true end",
            "UPDATE",
            (Assignment(("x", "a"), "s.a + 1"), Assignment(("b", "c"), "case when a then (2, 3) end")),
        ),
        Clause(Match.MATCHED, None, "DELETE"),
        Clause(Match.BY_TARGET, "s.id in (1, 2)", "INSERT", None),
        Clause(
            Match.BY_TARGET, None, "INSERT", (Assignment(("id",), "s.id"), Assignment(("b c",), "default"))
        ),
        Clause(Match.BY_SOURCE, "x.q", "UPDATE", (Assignment(("v",), "v[0]"),)),
        Clause(Match.BY_SOURCE, None, "DELETE"),
    )


@pytest.mark.parametrize(
    ("clauses", "error"),
    [
        ("", "MERGE_WITHOUT_WHEN"),
        ("when matched then delete when matched then update set *", "NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION"),
        (
            "when not matched then insert * when not matched and s.a = 1 then insert *",
            "NON_LAST_NOT_MATCHED_BY_TARGET_CLAUSE_OMIT_CONDITION",
        ),
        (
            "when not matched by source then delete when not matched by source then delete",
            "NON_LAST_NOT_MATCHED_BY_SOURCE_CLAUSE_OMIT_CONDITION",
        ),
        ("when not matched then insert (a, b) values (1)", "PARSE_SYNTAX_ERROR"),
        ("when not matched then delete", "PARSE_SYNTAX_ERROR"),
        ("when not matched by source then update set *", "PARSE_SYNTAX_ERROR"),
        ("when matched then insert *", "PARSE_SYNTAX_ERROR"),
        ("when matched then delete from", "PARSE_SYNTAX_ERROR"),
    ],
)
def test_what_is_no_merge(clauses: str, error: str) -> None:
    """Guards the errors of Spark's parser."""
    with pytest.raises(SqlError) as caught:
        read_merge(StatementReader(f"merge into t using s on t.a = s.a {clauses}".strip()))
    assert caught.value.error_class == error
