"""Errors of a statement, in the words and with the SQLSTATEs that Databricks' clients look for.

dbt-databricks decides by these texts (a missing table is found by ``[TABLE_OR_VIEW_NOT_FOUND]``), so class names and
SQLSTATEs are those of the page *Error classes* of the Databricks documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Stands in a cast that nobody wrote, so that its failure is told as an overflow of the arithmetic.
CHECKED = "/* overflow */"

_SQLSTATES = {
    "TABLE_OR_VIEW_NOT_FOUND": "42P01",
    "SCHEMA_NOT_FOUND": "42704",
    "NO_SUCH_CATALOG_EXCEPTION": "42704",
    "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION": "42703",
    "PARSE_SYNTAX_ERROR": "42601",
    "UNSUPPORTED_FEATURE": "0A000",
    "DIVIDE_BY_ZERO": "22012",
    "ARITHMETIC_OVERFLOW": "22003",
    "CAST_OVERFLOW": "22003",
    "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION": "22003",
    "CAST_INVALID_INPUT": "22018",
    "DELTA_CONCURRENT_WRITE": "2D521",
    "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES": "23001",
    "DELTA_NOT_NULL_CONSTRAINT_VIOLATED": "23502",
    "UNRESOLVED_ROUTINE": "42883",
    "OPERATION_CANCELED": "HY008",
    "INSUFFICIENT_PERMISSIONS": "42501",
    "INTERNAL_ERROR": "XX000",
}


class SqlError(Exception):
    """A statement that failed through what it says or what it found; the client is to see it as it is.

    Args:
        error_class: For example ``TABLE_OR_VIEW_NOT_FOUND``.
        message: What happened, in one or two sentences.
        sqlstate: Five characters; by default the one of the class.
    """

    def __init__(self, error_class: str, message: str, sqlstate: str | None = None) -> None:
        self.error_class = error_class
        self.message = message
        self.sqlstate = sqlstate or _SQLSTATES.get(error_class, "XX000")
        super().__init__(error_class, message, self.sqlstate)

    def __str__(self) -> str:
        return f"[{self.error_class}] {self.message} SQLSTATE: {self.sqlstate}"


def parse_error(found: str, sql: str, expected: str | None = None) -> SqlError:
    """The error for text that is no statement.

    Args:
        found: The token that was not expected.
        sql: The whole statement; its beginning is quoted.
        expected: What would have been right, if there is one thing.
    """
    hint = f", expected {expected}" if expected else ""
    start = " ".join(sql.split())[:120]
    return SqlError(
        "PARSE_SYNTAX_ERROR", f"Syntax error at or near {found}{hint}. Statement: {start}", "42601"
    )


def not_supported(what: str, way_out: str) -> SqlError:
    """The error for a statement that Databricks knows and this warehouse does not.

    Args:
        what: The statement or clause, as a user would name it.
        way_out: What to do instead.
    """
    text = f"The local SQL warehouse does not support {what}; nothing was changed. {way_out}"
    return SqlError("UNSUPPORTED_FEATURE.LOCAL_WAREHOUSE", text, "0A000")


def table_not_found(name: str) -> SqlError:
    """The error for a name that is neither a table nor a view."""
    text = f"The table or view {name} cannot be found. Verify the spelling and correctness of the schema and catalog."
    return SqlError("TABLE_OR_VIEW_NOT_FOUND", text)


def schema_not_found(name: str) -> SqlError:
    """The error for a schema that does not exist."""
    text = (
        f"The schema {name} cannot be found. Verify the spelling and correctness of the schema and catalog."
    )
    return SqlError("SCHEMA_NOT_FOUND", text)


def catalog_not_found(name: str) -> SqlError:
    """The error for a catalog that does not exist."""
    return SqlError("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{name}' was not found.")


def _object_name(text: str) -> str:
    """``Identifier("a"), Identifier("b")`` as ``a.b``; any other text as it is."""
    return ".".join(re.findall(r'"([^"]*)"', text)) or text


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], SqlError]]
_RULES: list[_Rule] = [
    (
        re.compile(
            r"\[TABLE_OR_VIEW_NOT_FOUND\][^\n]*?(?:view not found: |view )`?([^`\n]+?)`?(?: cannot be found.*)?$",
            re.M,
        ),
        lambda m: table_not_found(m[1]),
    ),
    (
        re.compile(
            r"attribute ObjectName\(\[(.*?)\]\) (?:is )?missing|cannot resolve attribute:? (.+)", re.S
        ),
        lambda m: SqlError(
            "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
            f"A column or function parameter with name {_object_name(m[1] or m[2])} cannot be resolved.",
        ),
    ),
    (
        re.compile(r"unknown function: (\S+)"),
        lambda m: SqlError("UNRESOLVED_ROUTINE", f"Cannot resolve routine {m[1]} on the local engine."),
    ),
    (
        re.compile(r"\[(ARITHMETIC_OVERFLOW)\] ([^\n]*)"),
        lambda m: SqlError(m[1], m[2]),
    ),
    (
        re.compile(r"Can't cast value (\S+) to type (\w+)|value of (\S+) is out of range (\w+)"),
        lambda m: SqlError(
            "CAST_OVERFLOW",
            f"The value {m[1] or m[3]} cannot be cast to {_sql_type(m[2] or m[4])} due to an overflow. "
            "Use try_cast to tolerate overflow and return NULL instead.",
        ),
    ),
    (
        re.compile(r"(\S+) is too large to store in a Decimal128 of precision (\d+)"),
        lambda m: SqlError(
            "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
            f"{m[1]} cannot be represented as a DECIMAL of precision {m[2]}. Use try_cast to get NULL instead.",
        ),
    ),
    (
        re.compile(r"Arithmetic overflow: ([^\n]*)|Overflow happened on: ([^\n]*)"),
        lambda m: SqlError("ARITHMETIC_OVERFLOW", f"Arithmetic overflow: {m[1] or m[2]}."),
    ),
    (
        re.compile(r"[Dd]ivi(?:de|sion) by zero"),
        lambda _: SqlError("DIVIDE_BY_ZERO", "Division by zero. Use try_divide to get NULL instead."),
    ),
    (
        re.compile(r"(Cannot cast|Cast error|failed to parse|invalid input syntax)[^\n]*"),
        lambda m: SqlError("CAST_INVALID_INPUT", f"{m[0]}. Use try_cast to get NULL instead."),
    ),
    (
        re.compile(
            r"Failed to commit transaction|Commit failed: |[Cc]oncurrent|Missing commit file|version already exists"
        ),
        lambda m: SqlError(
            "DELTA_CONCURRENT_WRITE",
            f"Another writer changed the table while this statement ran ({m[0]}). "
            "Nothing of this statement was written; run it again.",
        ),
    ),
    (
        re.compile(r"\[(DELTA_[A-Z_]+)\]\s*([^\n]*)"),
        lambda m: SqlError(m[1], m[2]),
    ),
    (
        re.compile(r"invalid argument: (found .*)", re.S),
        lambda m: SqlError("PARSE_SYNTAX_ERROR", f"Syntax error: {m[1][:400]}"),
    ),
]


_ENGINE_TYPES = {"Int8": "TINYINT", "Int16": "SMALLINT", "Int32": "INT", "Int64": "BIGINT"}


def _sql_type(engine_name: str) -> str:
    return _ENGINE_TYPES.get(engine_name, engine_name)


def from_engine(message: str, sql: str = "") -> SqlError:
    """Turns an error text of the engine into one that Databricks' clients understand.

    Args:
        message: What the engine said; its own words are kept where no class fits.
        sql: What it was asked.
    """
    text = message.strip()
    for pattern, build in _RULES:
        match = pattern.search(text)
        if match:
            error = build(match)
            if error.error_class == "CAST_OVERFLOW" and CHECKED in sql:
                value = match[1] or match[3]
                return SqlError("ARITHMETIC_OVERFLOW", f"{value} is beyond the type of the result: overflow.")
            return error
    return SqlError("ENGINE_ERROR", text.split("\n\nJVM stacktrace")[0][:2000], "XX000")
