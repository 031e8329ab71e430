"""Guards against a changed adapter: every shape of statement that dbt-databricks sent in recorded builds has its handler.

The recording is of dbt-databricks 1.12.7 over the project in tests/integration/warehouse/project, both of its ways to
build, twice, with docs, freshness, clone, stored failures and full refresh.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.statements.dispatch import handler_of
from local_workspace.sql_warehouse.statements.insert import InsertStatement, read_insert
from local_workspace.sql_warehouse.statements.table_definition import (
    ConstraintDefinition,
    constraint_name,
    read_clauses,
    read_columns,
)

RECORDING = [
    json.loads(line) for line in Path(__file__).with_name("adapter_statements.jsonl").read_text().splitlines()
]


def test_every_recorded_statement_has_its_handler() -> None:
    """Guards the dispatch by first words: the handler is the one that answered when the builds were right."""
    wrong = []
    for entry in RECORDING:
        handler = handler_of(StatementReader(entry["statement"]))
        name = f"{handler.__module__.rsplit('.', 1)[1]}.{handler.__name__}" if handler else None
        if name != entry["handler"]:
            wrong.append((name, entry))
    assert not wrong
    assert len({entry["handler"] for entry in RECORDING}) >= 15, "the recording lost its variety"


def _inserts() -> list[str]:
    return [entry["statement"] for entry in RECORDING if entry["handler"] == "insert.insert"]


def test_recorded_inserts_are_read_whole() -> None:
    """Guards the forms of INSERT that the incremental strategies send."""
    read = [read_insert(StatementReader(text)) for text in _inserts()]
    forms = {(s.overwrite, s.by_name, s.replace_where is not None, s.replace_on is not None) for s in read}
    assert {(False, True, True, False), (False, True, False, False), (False, False, False, True)} <= forms
    for statement in read:
        assert statement.query.upper().startswith(("SELECT", "TABLE", "VALUES"))
        if statement.replace_on:
            assert None not in (statement.target_alias, statement.source_alias)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "insert overwrite `c`.`s`.`t` values (1, 'a'), (2, 'b')",
            InsertStatement(("c", "s", "t"), overwrite=True, query="values (1, 'a'), (2, 'b')"),
        ),
        (
            "INSERT INTO t (`a`, b) SELECT 1, 2",
            InsertStatement(("t",), columns=("a", "b"), query="SELECT 1, 2"),
        ),
        (
            "INSERT INTO t REPLACE WHERE day in (select day from x) and k = 1 SELECT * FROM y",
            InsertStatement(
                ("t",), replace_where="day in (select day from x) and k = 1", query="SELECT * FROM y"
            ),
        ),
        ("INSERT INTO t (SELECT 1)", InsertStatement(("t",), query="(SELECT 1)")),
    ],
)
def test_inserts(text: str, expected: InsertStatement) -> None:
    """Guards where the parts of an INSERT begin and end."""
    assert read_insert(StatementReader(text)) == expected


def test_create_table_parts() -> None:
    """Guards column lists with keys, checks, comments and nested types, and the clauses after them."""
    columns, constraints = read_columns(
        "`id` bigint NOT NULL COMMENT 'it''s, (the) key', tags array<struct<a: int, `b c`: decimal(18,2)>>,"
        " n varchar(10) NULL,"
        " CONSTRAINT pk PRIMARY KEY (`id`) RELY, FOREIGN KEY (n) REFERENCES `c`.`s`.`p` (`x`) NOT ENFORCED,"
        " CHECK (id > 0),"
        " day date PRIMARY KEY"
    )
    assert [(c.name, c.type, c.not_null, c.comment) for c in columns] == [
        ("id", "bigint", True, "it's, (the) key"),
        ("tags", "array<struct<a: int, `b c`: decimal(18,2)>>", False, None),
        ("n", "varchar(10)", False, None),
        ("day", "date", False, None),
    ]
    assert constraints == [
        ConstraintDefinition("pk", "PRIMARY KEY", ("id",)),
        ConstraintDefinition(None, "FOREIGN KEY", ("n",), None, ("c", "s", "p"), ("x",)),
        ConstraintDefinition(None, "CHECK", (), "id > 0"),
        ConstraintDefinition(None, "PRIMARY KEY", ("day",)),
    ]
    assert constraint_name("T", constraints[2]) == "t_id_0_check"
    reader = StatementReader(
        "using delta partitioned by (a,b) comment 'c' tblproperties ('x' = 'y') as with q as (select 1) select * from q"
    )
    clauses = read_clauses(reader)
    assert (clauses.partition_columns, clauses.comment, clauses.properties) == (["a", "b"], "c", {"x": "y"})
    assert reader.accept("AS")
    assert reader.rest().startswith("with q")
