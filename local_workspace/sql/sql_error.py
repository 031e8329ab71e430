"""Errors of a statement, in the words and with the SQLSTATEs that Databricks' clients look for.

dbt-databricks decides by these texts (a missing table is found by ``[TABLE_OR_VIEW_NOT_FOUND]``), so class names and
SQLSTATEs are those of the page *Error classes* of the Databricks documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from local_workspace.sql.tokens import quote_identifier

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
    "INVALID_ARRAY_INDEX": "22003",
    "INVALID_ARRAY_INDEX_IN_ELEMENT_AT": "22003",
    "INVALID_INDEX_OF_ZERO": "22003",
    "REMAINDER_BY_ZERO": "22012",
    "WRONG_NUM_ARGS.WITHOUT_SUGGESTION": "42605",
    "SCALAR_SUBQUERY_TOO_MANY_ROWS": "21000",
    "DUPLICATED_MAP_KEY": "23505",
    "DATETIME_FIELD_OUT_OF_BOUNDS": "22023",
    "CANNOT_PARSE_TIMESTAMP": "22007",
    "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH": "42000",
    "NUM_COLUMNS_MISMATCH": "42826",
    "AMBIGUOUS_REFERENCE": "42704",
    "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES": "42K09",
    "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE": "42K09",
    "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE": "42K0E",
    "INVALID_TYPED_LITERAL": "42604",
    "NESTED_AGGREGATE_FUNCTION": "42607",
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
        place: Line, from 1, and position in it, from 0, where that is known.
    """

    def __init__(
        self,
        error_class: str,
        message: str,
        sqlstate: str | None = None,
        *,
        place: tuple[int, int] | None = None,
    ) -> None:
        self.error_class = error_class
        self.message = message
        self.place = place
        self.sqlstate = sqlstate or _SQLSTATES.get(error_class, "XX000")
        super().__init__(error_class, message, self.sqlstate)

    def __str__(self) -> str:
        text = f"[{self.error_class}] {self.message} SQLSTATE: {self.sqlstate}"
        if self.place is None:
            return text
        line, position = self.place
        if self.error_class == "PARSE_SYNTAX_ERROR":
            return f"{text} (line {line}, pos {position})"
        return f"{text}; line {line} pos {position}"


def parse_error(found: str, sql: str, expected: str | None = None) -> SqlError:
    """Return the error for text that is not a statement.

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
    """Return the error for a statement that Databricks knows and this warehouse does not.

    Args:
        what: The statement or clause, as a user would name it.
        way_out: What to do instead.
    """
    text = f"The local SQL warehouse does not support {what}; nothing was changed. {way_out}"
    return SqlError("UNSUPPORTED_FEATURE.LOCAL_WAREHOUSE", text, "0A000")


def table_not_found(name: str) -> SqlError:
    """Return the error for a name that is neither a table nor a view."""
    text = f"The table or view {name} cannot be found. Verify the spelling and correctness of the schema and catalog."
    return SqlError("TABLE_OR_VIEW_NOT_FOUND", text)


def unresolved_column(parts: Sequence[str], known: Sequence[str | tuple[str, str]]) -> SqlError:
    """Return the error of a name that is no column's, with the columns that are most like it.

    Args:
        parts: The name as it is written, qualifiers first.
        known: The columns there are, each by its name or by its source and its name.
    """
    text = (
        "A column, variable, or function parameter with name "
        f"{'.'.join(map(quote_identifier, parts))} cannot be resolved."
    )
    if not known:
        return SqlError("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", text, "42703")
    pairs = [("", column) if isinstance(column, str) else column for column in known]
    close = sorted(pairs, key=lambda pair: -_alike(pair[1].lower(), parts[-1].lower()))[:5]
    several = len({source for source, _ in pairs}) > 1 or len(parts) > 1
    shown = ", ".join(
        ".".join(map(quote_identifier, pair if several and pair[0] else pair[1:])) for pair in close
    )
    return SqlError(
        "UNRESOLVED_COLUMN.WITH_SUGGESTION", f"{text} Did you mean one of the following? [{shown}].", "42703"
    )


def _alike(a: str, b: str) -> float:
    import difflib  # noqa: PLC0415  (only when a statement has failed)

    return difflib.SequenceMatcher(None, a, b).ratio()


def schema_not_found(name: str) -> SqlError:
    """Return the error for a schema that does not exist."""
    text = (
        f"The schema {name} cannot be found. Verify the spelling and correctness of the schema and catalog."
    )
    return SqlError("SCHEMA_NOT_FOUND", text)


def catalog_not_found(name: str) -> SqlError:
    """Return the error for a catalog that does not exist."""
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
        # The engine has some of Spark's classes itself.
        re.compile(
            r"\[(ARITHMETIC_OVERFLOW|INVALID_ARRAY_INDEX|CAST_INVALID_INPUT|DUPLICATED_MAP_KEY)\]"
            r" ([^\n]*?)(?: SQLSTATE.*)?$",
            re.M,
        ),
        lambda m: SqlError(m[1], m[2]),
    ),
    (
        re.compile(r"element_at: the index is out of bounds"),
        lambda _: SqlError(
            "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
            "The index is out of bounds. Use try_element_at to tolerate accessing element at invalid index "
            "and return NULL instead.",
        ),
    ),
    (
        re.compile(r"[Tt]he index 0 is invalid[^\n]*"),
        lambda _: SqlError(
            "INVALID_INDEX_OF_ZERO",
            "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
        ),
    ),
    (
        re.compile(r"InSubquery should only return one column, but found (\d+)"),
        lambda m: SqlError(
            "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
            f"The number of columns in the left hand side of an IN subquery does not match the {m[1]} of the subquery.",
            "42K09",
        ),
    ),
    (
        re.compile(r"Remainder by zero"),
        lambda _: SqlError("REMAINDER_BY_ZERO", "Remainder by zero. Use try_mod to get NULL instead."),
    ),
    (
        re.compile(r"(?:one|two|three) values? expected: [^\n]*|requires an even number of arguments[^\n]*"),
        lambda m: SqlError(
            "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", f"A function got a wrong number of arguments: {m[0][:200]}."
        ),
    ),
    (
        re.compile(r"Scalar subquery returned more than one row|more than one row returned by a subquery"),
        lambda _: SqlError(
            "SCALAR_SUBQUERY_TOO_MANY_ROWS", "More than one row returned by a subquery used as an expression."
        ),
    ),
    (
        re.compile(r"(?:Month|Day|Hour|Minute|Second) value '(-?\d+)' is out of range"),
        lambda m: SqlError("DATETIME_FIELD_OUT_OF_BOUNDS", f"{m[0]}."),
    ),
    (
        re.compile(r"invalid argument: (?:Date|Timestamp)Value \{([^}]*)\}"),
        lambda m: SqlError(
            "INVALID_TYPED_LITERAL", f"The value of the typed literal is invalid: {m[1].strip()}."
        ),
    ),
    (
        re.compile(r"expected numeric datetime field at byte offset[^\n]*"),
        lambda m: SqlError(
            "CANNOT_PARSE_TIMESTAMP",
            f"A text could not be parsed as a time: {m[0]}. Use try_to_timestamp to get NULL instead.",
        ),
    ),
    (
        re.compile(
            r"Inconsistent data length across values list: got (\d+) values in row (\d+) but expected (\d+)"
        ),
        lambda m: SqlError(
            "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
            f"Invalid inline table. Inline table expected {m[3]} columns but found {m[1]} columns in row {m[2]}.",
        ),
    ),
    (
        re.compile(
            r"(UNION|INTERSECT|EXCEPT) queries have different number of columns: "
            r"left has (\d+) columns whereas right has (\d+)"
        ),
        lambda m: SqlError(
            "NUM_COLUMNS_MISMATCH",
            f"{m[1]} can only be performed on inputs with the same number of columns, but the first input has "
            f"{m[2]} columns and the second input has {m[3]} columns.",
        ),
    ),
    (
        re.compile(
            r"ambiguous attribute: ObjectName\(\[(.*?)\]\)|Ambiguous reference to unqualified field (\S+)"
        ),
        lambda m: SqlError("AMBIGUOUS_REFERENCE", f"Reference `{_object_name(m[1] or m[2])}` is ambiguous."),
    ),
    (
        re.compile(
            r"Cannot (?:infer common argument type for comparison operation|coerce arithmetic expression) ([^\n]*)"
        ),
        lambda m: SqlError(
            "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
            f"The left and right operands of a binary operator have incompatible types: {m[1]}.",
        ),
    ),
    (
        re.compile(r"LIMIT must be >= 0, '(-\d+)'"),
        lambda m: SqlError(
            "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE",
            f"The limit expression must be equal to or greater than 0, but got {m[1]}.",
        ),
    ),
    (
        re.compile(r"explode should only be called with a list or map"),
        lambda _: SqlError(
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", 'explode requires the "ARRAY" or "MAP" type.'
        ),
    ),
    (
        re.compile(r"Aggregate function calls cannot be nested"),
        lambda _: SqlError(
            "NESTED_AGGREGATE_FUNCTION",
            "It is not allowed to use an aggregate function in the argument of another aggregate function.",
        ),
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
    """Turn an error text of the engine into one that Databricks' clients understand.

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
