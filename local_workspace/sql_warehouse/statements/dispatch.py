"""Which statement is answered by whom.

A statement is recognised by its first words. What is in nobody's list is refused by name: a warehouse that accepts
what it does not do would prove nothing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from local_workspace.sql.diagnosis import place_of
from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.sql_error import not_supported, parse_error
from local_workspace.sql.statement_reader import StatementReader
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements import (
    alter_table,
    change_rows,
    create_table,
    describe,
    functions,
    governance,
    insert,
    maintenance,
    merge,
    namespaces,
    show,
    views,
)
from local_workspace.sql_warehouse.statements.handlers import Handler, Handlers
from local_workspace.sql_warehouse.statements.policies import guarded

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def query(session: Session, reader: StatementReader) -> Result:
    """SELECT, WITH, VALUES, FROM and TABLE: rows come from the engine as they are read."""
    text = _with_descriptions(session, reader)
    if [token.upper for token in reader.tokens[-2:]] == ["LIMIT", "0"]:
        # So adapters ask for the columns of a model, at each run.
        return session.without_rows(text)
    sql = session.engine_sql(text)
    if reader.sees("TABLE") and sql == reader.sql:
        reader.next()
        session.require_table(reader.dotted_name())
    return session.engine.query(sql, tag=session.tag)


def _with_descriptions(session: Session, reader: StatementReader) -> str:
    """Return the query with the rows of ``(DESCRIBE HISTORY t)`` and ``(DESCRIBE DETAIL t)`` in their places."""
    edits: list[Edit] = []
    for at, token in enumerate(reader.tokens[:-3]):
        verb, noun = reader.tokens[at + 1].upper, reader.tokens[at + 2].upper
        if token.text == "(" and verb in ("DESCRIBE", "DESC") and noun in ("HISTORY", "DETAIL"):
            end = next((t for t in reader.tokens[at:] if t.text == ")"), None)
            if end is not None:
                described = run(session, reader.sql[token.end : end.start]).table()
                name = f"described_{secrets.token_hex(4)}"
                edits.append((token.end, end.start, session.kept(name, described)))
    return edited(reader.sql, edits)


def explain(session: Session, reader: StatementReader) -> Result:
    """EXPLAIN: the engine's plan; it is the plan of the local engine, not of Photon."""
    reader.expect("EXPLAIN")
    for word in ("EXTENDED", "FORMATTED", "CODEGEN", "COST"):
        reader.accept(word)
    first = reader.peek()
    start = first.start if first is not None else len(reader.sql)
    text = reader.sql[:start] + session.engine_sql(reader.sql[start:])
    return session.engine.query(text, tag=session.tag)


# The longest match wins, so that CREATE OR REPLACE TEMPORARY VIEW is not taken for CREATE TABLE.
_HANDLERS: Handlers = {
    ("SELECT",): query,
    ("WITH",): query,
    ("VALUES",): query,
    ("FROM",): query,
    ("TABLE",): query,
    ("(",): query,
    ("EXPLAIN",): explain,
    **create_table.HANDLERS,
    **views.HANDLERS,
    **insert.HANDLERS,
    **change_rows.HANDLERS,
    **merge.HANDLERS,
    **alter_table.HANDLERS,
    **namespaces.HANDLERS,
    **governance.HANDLERS,
    **show.HANDLERS,
    **functions.HANDLERS,
    **describe.HANDLERS,
    **maintenance.HANDLERS,
}
for _word in ("UPDATE", "DELETE", "MERGE"):
    _HANDLERS[(_word,)] = guarded(_HANDLERS[(_word,)])
_LONGEST = max(len(words) for words in _HANDLERS)

_WAYS_OUT: dict[tuple[str, ...], str] = {
    (
        "CREATE",
        "MATERIALIZED",
    ): "Materialize the model as table or incremental, or define the view in the DLT pipeline.",
    (
        "CREATE",
        "OR",
        "REPLACE",
        "MATERIALIZED",
    ): "Materialize the model as table or incremental, or define the view in the DLT pipeline.",
    ("CREATE", "STREAMING"): "Define the streaming table in the DLT pipeline.",
    ("CREATE", "OR", "REFRESH"): "Define the streaming table or materialized view in the DLT pipeline.",
    ("REFRESH",): "Run the DLT pipeline's update instead.",
    ("COPY",): "Land the files in the volume and let the pipeline ingest them.",
    ("MSCK",): "Delta tables need no repair of partitions.",
    ("CALL",): "Stored procedures exist on Databricks only.",
    ("BEGIN",): "Run the statements one by one.",
    ("CACHE",): "Omit the statement: the engine reads Delta files each time.",
    ("RESTORE",): "Use RESTORE TABLE name TO VERSION AS OF n.",
}


# "SQL language reference", section "Statements": with these a statement begins, served here or not.
_KNOWN_WORDS = frozenset(
    """
    ADD ALTER ANALYZE BEGIN CACHE CALL CLEAR COMMENT CONVERT COPY CREATE DECLARE DELETE DENY DESC DESCRIBE DROP END EXECUTE
    EXPLAIN FROM FSCK GENERATE GET GRANT INSERT LIST LOAD MERGE MSCK OPTIMIZE PUT REFRESH REMOVE REORG REPAIR REPLACE RESET
    RESTORE REVOKE SET SHOW SIGNAL SYNC TRUNCATE UNCACHE UNDROP UNSET UPDATE USE VACUUM
    """.split()  # noqa: SIM905
)


def run(session: Session, sql: str) -> Result:
    """Run one statement.

    Args:
        session: Whose statement it is.
        sql: Without closing semicolon, with values in place of markers.

    Raises:
        SqlError: It failed, or is not known here.
    """
    reader = StatementReader(sql)
    if reader.at_end:
        raise parse_error("end of input", sql)
    semicolon = next((token for token in reader.tokens if token.text == ";"), None)
    if semicolon is not None:
        raise parse_error("';'", sql, expected="one statement at a time")
    handler = handler_of(reader)
    if handler is not None:
        return handler(session, reader)
    words = tuple(token.upper for token in reader.tokens[:5])
    if words[0] not in _KNOWN_WORDS:
        error = parse_error(repr(reader.tokens[0].text), sql)
        error.place = place_of(sql, reader.tokens[0].start)
        raise error
    way_out = next(
        (
            text
            for start, text in sorted(_WAYS_OUT.items(), key=lambda i: -len(i[0]))
            if words[: len(start)] == start
        ),
        "Run it on Databricks, or omit it where the code also runs locally.",
    )
    raise not_supported(" ".join(words[:3]), way_out)


def handler_of(reader: StatementReader) -> Handler | None:
    """Who answers a statement, or None if nobody does.

    Args:
        reader: Stands at the statement's beginning.
    """
    words = tuple(token.upper for token in reader.tokens[:_LONGEST])
    return next((_HANDLERS[words[:n]] for n in range(len(words), 0, -1) if words[:n] in _HANDLERS), None)
