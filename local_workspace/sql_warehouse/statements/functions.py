"""CREATE FUNCTION, DROP FUNCTION, DESCRIBE FUNCTION and SHOW FUNCTIONS.

A function of SQL is kept as its text and put in place of each call, see :mod:`local_workspace.sql.inlining`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from local_workspace.catalog import Function, Parameter
from local_workspace.errors import InputError
from local_workspace.sql.functions import function as builtin
from local_workspace.sql.functions import table as builtins
from local_workspace.sql.inlining import with_full_names
from local_workspace.sql.references import Source, replace_references
from local_workspace.sql.sql_error import SqlError, not_supported, parse_error
from local_workspace.sql.statement_reader import StatementReader, split_items
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers
from local_workspace.sql_warehouse.statements.table_definition import read_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local_workspace.sql_warehouse.session import Session

_CHARACTERISTICS = (
    ("NOT", "DETERMINISTIC"),
    ("DETERMINISTIC",),
    ("CONTAINS", "SQL"),
    ("READS", "SQL", "DATA"),
    ("SQL", "SECURITY", "DEFINER"),
)
_ENDS_TYPE = ("DEFAULT", "COMMENT")


def create_function(session: Session, reader: StatementReader) -> Result:
    """CREATE [OR REPLACE] [TEMPORARY] FUNCTION [IF NOT EXISTS] name (parameters) RETURNS .. RETURN body."""
    reader.expect("CREATE")
    replacing = reader.accept("OR", "REPLACE")
    temporary = reader.accept("TEMPORARY") or reader.accept("TEMP")
    reader.expect("FUNCTION")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    parts = reader.dotted_name()
    name = session.table_name(parts)
    if not temporary:
        session.require_schema(name.catalog, name.schema)
    if len(parts) == 1 and builtin(parts[0]) is not None:
        raise SqlError(
            "ROUTINE_ALREADY_EXISTS",
            f"Cannot create the function {parts[0]} because a built-in function of that name exists.",
            "42723",
        )
    existing = (
        session.temporary_functions.get(parts[-1].lower()) if temporary else session.catalog.function(name)
    )
    parameters = _parameters(reader.parenthesised())
    function = _definition(session, reader, Function(name, parameters, None, (), "", ""))
    if existing is not None and not replacing:
        if if_not_exists:
            return Result.empty()
        text = f"Cannot create the function {name.quoted} because a routine of that name already exists."
        raise SqlError("ROUTINE_ALREADY_EXISTS", f"{text} Use CREATE OR REPLACE FUNCTION.", "42723")
    function = _checked(session, function)
    if temporary:
        session.temporary_functions[parts[-1].lower()] = function
        return Result.empty()
    try:
        session.catalog.put_function(function, replace_existing=replacing)
    except InputError as error:
        raise SqlError("ROUTINE_ALREADY_EXISTS", str(error), "42723") from error
    return Result.empty()


def _parameters(text: str) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    for item in split_items(text):
        reader = StatementReader(item)
        name = reader.name()
        if name.lower() in {p.name.lower() for p in found}:
            raise SqlError(
                "DUPLICATE_ROUTINE_PARAMETER_NAMES", f"Found the parameter {name} more than once.", "42734"
            )
        kind, default, comment = read_type(reader), None, None
        while not reader.at_end:
            if reader.accept("COMMENT"):
                comment = reader.string()
            elif reader.accept("DEFAULT"):
                start = reader.position
                while not reader.at_end and not reader.sees("COMMENT"):
                    reader.next()
                default = reader.sql[reader.tokens[start].start : reader.tokens[reader.position - 1].end]
            else:
                raise parse_error(repr(reader.next().text), reader.sql, expected="DEFAULT or COMMENT")
        found.append(Parameter(name, kind, default, comment))
    return tuple(found)


def _definition(session: Session, reader: StatementReader, function: Function) -> Function:
    """Return the function with what follows its parameters."""
    characteristics: list[str] = []
    while not reader.at_end:
        known = next((words for words in _CHARACTERISTICS if reader.accept(*words)), None)
        if known is not None:
            characteristics.append(" ".join(known))
        elif reader.accept("RETURNS", "TABLE"):
            columns = _parameters(reader.parenthesised()) if reader.sees("(") else ()
            function = replace(function, is_table=True, columns=columns)
        elif reader.accept("RETURNS"):
            function = replace(function, returns=_returned_type(reader))
        elif reader.accept("COMMENT"):
            function = replace(function, comment=reader.string())
        elif reader.accept("LANGUAGE"):
            language = reader.name()
            if language.upper() != "SQL":
                raise not_supported(
                    f"a function in {language.title()}",
                    "Write its body in SQL: RETURNS type RETURN expression.",
                )
        elif reader.accept("RETURN"):
            break
        elif reader.sees("AS") or reader.sees("ENVIRONMENT") or reader.sees("HANDLER"):
            raise not_supported(
                "a function with a body in another language", "Write its body in SQL after RETURN."
            )
        else:
            raise parse_error(
                repr(reader.next().text), reader.sql, expected="RETURNS, a characteristic, or RETURN"
            )
    body = reader.rest()
    if not body:
        raise parse_error("end of input", reader.sql, expected="RETURN and a body")
    full = with_full_names(body, session.function)
    full = replace_references(full, lambda parts: _full_name(session, parts), missing_ok=True)
    return replace(function, body=full, written=body, characteristics=tuple(characteristics))


def _returned_type(reader: StatementReader) -> str:
    first = reader.next()
    depth, end = 0, first.end
    ends = {"RETURN", "LANGUAGE", "COMMENT", "AS", *(words[0] for words in _CHARACTERISTICS)}
    while (token := reader.peek()) is not None and not (depth == 0 and token.upper in ends):
        depth += (token.text in "(<") - (token.text in ")>")
        end = reader.next().end
    return reader.sql[first.start : end]


def _full_name(session: Session, parts: Sequence[str]) -> Source | None:
    if session.temporary_view(parts) is not None:
        raise SqlError(
            "INVALID_TEMP_OBJ_REFERENCE",
            f"Cannot create a function that reads the temporary view {parts[0]}: nobody else has it.",
            "42K0F",
        )
    if len(parts) == 2 and parts[0].lower() == "information_schema":
        return Source(
            f"{quote_identifier(session.catalog_name)}.{'.'.join(map(quote_identifier, parts))}", False
        )
    try:
        name = session.table_name(parts)
    except SqlError:
        return None
    return Source(name.quoted, False) if session.catalog.get(name) is not None else None


def _checked(session: Session, function: Function) -> Function:
    """Return the function with the types that its body gives, where they were not said.

    Raises:
        SqlError: The body cannot be planned.
    """
    nulls = ", ".join(f"CAST(NULL AS {p.data_type})" for p in function.parameters)
    form = "SELECT * FROM {}({})" if function.is_table else "SELECT {}({}) AS value"
    text = form.format(function.name.quoted, nulls)
    sql = session.engine_sql(
        text, functions=lambda parts: function if len(parts) == 3 else session.function(parts)
    )
    schema = session.engine.frame(sql, tag=session.tag).schema
    if not function.is_table:
        return (
            function
            if function.returns
            else replace(function, returns=schema.fields[0].dataType.simpleString())
        )
    if function.columns:
        return function
    return replace(
        function, columns=tuple(Parameter(f.name, f.dataType.simpleString()) for f in schema.fields)
    )


def drop_function(session: Session, reader: StatementReader) -> Result:
    """DROP [TEMPORARY] FUNCTION [IF EXISTS] name."""
    reader.expect("DROP")
    temporary = reader.accept("TEMPORARY") or reader.accept("TEMP")
    reader.expect("FUNCTION")
    if_exists = reader.accept("IF", "EXISTS")
    parts = reader.dotted_name()
    reader.end()
    if temporary:
        if session.temporary_functions.pop(parts[-1].lower(), None) is None and not if_exists:
            raise _missing(".".join(parts))
        return Result.empty()
    name = session.table_name(parts)
    if session.catalog.function(name) is None:
        if if_exists:
            return Result.empty()
        raise _missing(name.quoted)
    session.catalog.drop_function(name)
    return Result.empty()


def _missing(name: str) -> SqlError:
    text = (
        f"The routine {name} cannot be found. Verify the spelling and correctness of the schema and catalog."
    )
    return SqlError("ROUTINE_NOT_FOUND", text, "42883")


def describe_function(session: Session, reader: StatementReader) -> Result:
    """DESCRIBE FUNCTION [EXTENDED] name: a line of text for each fact, as Databricks gives them."""
    reader.next()
    reader.expect("FUNCTION")
    extended = reader.accept("EXTENDED")
    parts = reader.dotted_name()
    reader.end()
    function = session.function(parts)
    if function is None:
        known = builtin(parts[0]) if len(parts) == 1 else None
        if known is None:
            raise _missing(session.table_name(parts).quoted)
        kind = known.kind.value
        return _lines([f"Function: {known.name}", f"Type: {kind}", "Class: built in"])
    shown = [("Function", str(function.name)), ("Type", "TABLE" if function.is_table else "SCALAR")]
    shown += _listed("Input", function.parameters)
    shown += (
        _listed("Returns", function.columns) if function.is_table else [("Returns", function.returns or "")]
    )
    if function.comment:
        shown.append(("Comment", function.comment))
    if extended:
        shown.append(("Deterministic", str("NOT DETERMINISTIC" not in function.characteristics).lower()))
        reads = "READS SQL DATA" if re.search(r"\bFROM\b", function.body, re.IGNORECASE) else "CONTAINS SQL"
        shown += [("Data Access", reads), ("Owner", function.owner)]
        if function.created_at is not None:
            shown.append(("Create Time", f"{function.created_at:%a %b %d %H:%M:%S UTC %Y}"))
        shown.append(("Body", function.written))
    width = max(len(title) for title, _ in shown) + 2
    return _lines([f"{title + ':' if title else '':<{width}}{text}" for title, text in shown])


def _listed(title: str, parameters: Sequence[Parameter]) -> list[tuple[str, str]]:
    if not parameters:
        return [(title, "()")]
    lines = [
        f"{p.name} {p.data_type.upper()}"
        + (f" DEFAULT {p.default}" if p.default is not None else "")
        + (f" '{p.comment}'" if p.comment else "")
        for p in parameters
    ]
    return [(title if at == 0 else "", line) for at, line in enumerate(lines)]


def _lines(lines: list[str]) -> Result:
    return Result.of_rows([("function_desc", pa.string())], [(line,) for line in lines])


def show_functions(session: Session, reader: StatementReader) -> Result:
    """SHOW [USER | SYSTEM | ALL] FUNCTIONS [{IN | FROM} schema] [[LIKE] pattern]."""
    reader.expect("SHOW")
    kind = next((word for word in ("USER", "SYSTEM", "ALL") if reader.accept(word)), "ALL")
    reader.expect("FUNCTIONS")
    catalog, schema = session.catalog_name, session.schema_name
    if reader.accept("IN") or reader.accept("FROM"):
        catalog, schema = session.schema_parts(reader.dotted_name())
        session.require_schema(catalog, schema)
    reader.accept("LIKE")
    pattern = "*"
    if not reader.at_end:
        token = reader.peek()
        pattern = reader.string() if token is not None and token.kind == "string" else reader.name()
    reader.end()
    names = [] if kind == "SYSTEM" else [str(f.name) for f in session.catalog.functions(catalog, schema)]
    if kind != "SYSTEM":
        names += sorted(f.name.table for f in session.temporary_functions.values())
    if kind != "USER":
        names = sorted(n for n in builtins() if n.isidentifier()) + names
    wanted = re.compile(
        "|".join(re.escape(p).replace(r"\*", ".*") for p in pattern.split("|")), re.IGNORECASE
    )
    rows = [(n,) for n in names if wanted.fullmatch(n.rpartition(".")[2]) or wanted.fullmatch(n)]
    return Result.of_rows([("function", pa.string())], rows)


HANDLERS: Handlers = {
    ("CREATE", "FUNCTION"): create_function,
    ("CREATE", "OR", "REPLACE", "FUNCTION"): create_function,
    ("CREATE", "TEMPORARY", "FUNCTION"): create_function,
    ("CREATE", "TEMP", "FUNCTION"): create_function,
    ("CREATE", "OR", "REPLACE", "TEMPORARY", "FUNCTION"): create_function,
    ("CREATE", "OR", "REPLACE", "TEMP", "FUNCTION"): create_function,
    ("DROP", "FUNCTION"): drop_function,
    ("DROP", "TEMPORARY", "FUNCTION"): drop_function,
    ("DROP", "TEMP", "FUNCTION"): drop_function,
    ("DESCRIBE", "FUNCTION"): describe_function,
    ("DESC", "FUNCTION"): describe_function,
    ("SHOW", "FUNCTIONS"): show_functions,
    ("SHOW", "USER", "FUNCTIONS"): show_functions,
    ("SHOW", "SYSTEM", "FUNCTIONS"): show_functions,
    ("SHOW", "ALL", "FUNCTIONS"): show_functions,
}
