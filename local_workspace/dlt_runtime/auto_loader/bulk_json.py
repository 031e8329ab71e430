"""The plainly clean lines of a chunk, parsed by DuckDB; every other line is handed to `strict_json`.

A line is plainly clean if it is one object, has no key twice and no key without a column, if each value has
the JSON type that its column takes as it is, and if no number is so long that a binary float could have
touched it. A differential test compares both
parsers on hostile lines: they must agree on all that this one takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIMESTAMP = _DATE + r"[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
_ZONE = r"(Z|[+-]((0\d|1[0-7]):[0-5]\d|18:00))?"
_NUMBER_OF = r"{}\s*:\s*(-?[0-9][0-9.eE+-]*)\s*[,}}]"
_INTEGERS = {pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pointer(key: str) -> str:
    """A JSON pointer (RFC 6901) to a member of the top object; any key can be written as one."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def can_take(kind: pa.DataType) -> bool:
    """Say whether a column of this type can be filled here.

    Lines of a source with any other column all go the exact way.
    """
    return not pa.types.is_nested(kind) and kind != pa.float32()


class BulkParser:
    """Parses chunks of lines for one schema.

    Args:
        columns: Name -> type of the columns that the file can fill.
        threads: DuckDB's threads.
    """

    def __init__(self, columns: Mapping[str, pa.DataType], threads: int = 2) -> None:
        self.columns = dict(columns)
        self.usable = bool(columns) and all(can_take(kind) for kind in columns.values())
        self._connection = duckdb.connect(config={"threads": threads})
        self._sql = self._statement() if self.usable else ""

    def close(self) -> None:
        """Release DuckDB's memory."""
        self._connection.close()

    def _statement(self) -> str:
        names = list(self.columns)
        known = "[" + ", ".join(_literal(n) for n in names) + "]"
        pointers = "[" + ", ".join(_literal(_pointer(n)) for n in names) + "]"
        checks, values = [], []
        for at, kind in enumerate(self.columns.values(), start=1):
            check, value = (
                _text_column(names[at - 1], f"t[{at}]", f"v[{at}]")
                if kind == pa.string()
                else _column(f"t[{at}]", f"v[{at}]", kind)
            )
            checks.append(f"(t[{at}] is null or t[{at}] = 'NULL' or {check})")
            values.append(f"case when clean then {value} end as c{at - 1}")
        # A run of 16 digits or an exponent may have lost digits in DuckDB's number type; \\u0000 and \\ud...
        # are corner cases of text; all of them are rare, so the exact parser takes such lines.
        numeric = any(pa.types.is_decimal(k) or pa.types.is_floating(k) for k in self.columns.values())
        long_number = "and not regexp_matches(l, '[0-9.]{16}|[0-9][eE][+-]?[0-9]')" if numeric else ""
        return f"""
            with parsed as (
                select n, l,
                       case when json_valid(l) and not contains(l, '\\u0000') and not contains(l, '\\ud')
                                 and not contains(l, '\\uD') {long_number}
                            then l end as j
                from chunk),
            typed as (
                select n, l, j, case when j is not null and json_type(j) = 'OBJECT' then json_keys(j) end as k,
                       json_type(j, {pointers}) as t, json_extract_string(j, {pointers}) as v
                from parsed),
            judged as (
                select n, l, t, v,
                       coalesce((k = {known} or (list_has_all({known}, k) and len(k) = len(list_distinct(k))))
                                and {" and ".join(checks)}, false) as clean
                from typed)
            select n, clean, {", ".join(values)} from judged"""

    def parse(self, lines: pa.LargeStringArray) -> tuple[pa.Table, pa.Array, pa.Array]:
        """Parse the lines of a chunk.

        Returns:
            The clean rows, the places of their lines in the chunk, and the places of all other lines, in
            order.
        """
        schema = pa.schema([pa.field(name, kind) for name, kind in self.columns.items()])
        places = pa.array(range(len(lines)), pa.int64())
        if not self.usable:
            return schema.empty_table(), places.slice(0, 0), places
        self._connection.register("chunk", pa.table({"n": places, "l": lines}))
        try:
            result = self._connection.sql(self._sql).to_arrow_table()
        except duckdb.Error:
            # A line that DuckDB's functions refuse as a whole; the exact parser takes the chunk.
            return schema.empty_table(), places.slice(0, 0), places
        finally:
            self._connection.unregister("chunk")
        clean = result.column("clean")
        rows = result.filter(clean)
        # By position: a column of the file may be called n or clean, or differ from another one in case only.
        arrays = [rows.column(at + 2).cast(field.type) for at, field in enumerate(schema)]
        others = result.column("n").filter(pc.invert(clean)).combine_chunks()
        return (
            pa.Table.from_arrays(arrays, schema=schema),
            rows.column("n").combine_chunks(),
            pc.take(others, pc.sort_indices(others)),
        )


def _text_column(key: str, kind_of: str, text: str) -> tuple[str, str]:
    """Give the SQL of both for a STRING column: a text, true or false, or a number as it is written in the line.

    DuckDB writes numbers in its own way, so a number is taken from the line. Its key stands there once: keys are
    distinct, nested objects are not taken, and inside of a text its quotes would have backslashes.
    """
    written = (
        f"regexp_extract(l, {_literal(_NUMBER_OF.format(re.escape(json.dumps(key, ensure_ascii=False))))}, 1)"
    )
    number = f"({kind_of} in ('BIGINT', 'UBIGINT', 'DOUBLE') and {written} <> '')"
    return (
        f"({kind_of} in ('VARCHAR', 'BOOLEAN') or {number})",
        f"case when {kind_of} in ('BIGINT', 'UBIGINT', 'DOUBLE') then {written} else {text} end",
    )


def _column(kind_of: str, text: str, kind: pa.DataType) -> tuple[str, str]:
    """Give the SQL of `the value may be taken` and of `the value`, from the SQL of its JSON type and text."""
    is_string = f"{kind_of} = 'VARCHAR'"
    is_integer = f"{kind_of} in ('BIGINT', 'UBIGINT')"
    is_number = f"({kind_of} in ('BIGINT', 'UBIGINT', 'DOUBLE') and isfinite(try_cast({text} as double)))"
    if pa.types.is_boolean(kind):
        return f"{kind_of} = 'BOOLEAN'", f"{text} = 'true'"
    if pa.types.is_integer(kind):
        value = f"try_cast({text} as {_INTEGERS[kind]})"
        return f"({is_integer} and {value} is not null)", value
    if pa.types.is_floating(kind):
        return is_number, f"try_cast({text} as double)"
    if pa.types.is_decimal(kind):
        value = f"try_cast({text} as decimal({kind.precision}, {kind.scale}))"
        return f"({is_number} and coalesce({value}::double = try_cast({text} as double), false))", value
    # DuckDB knows years before 1 and after 9999, which Python and Spark's text form do not.
    if pa.types.is_date(kind):
        value = f"try_cast({text} as date)"
        known = f"coalesce({value} between date '0001-01-01' and date '9999-12-31', false)"
        return f"({is_string} and regexp_full_match({text}, '{_DATE}') and {known})", value
    # DuckDB's cast to TIMESTAMP leaves an offset out, and its cast to TIMESTAMPTZ reads text without one in
    # the time zone of this machine; so a text without offset gets one.
    pattern, kind_name, value = _TIMESTAMP, "timestamp", f"try_cast({text} as timestamp)"
    if kind.tz:
        pattern, kind_name = _TIMESTAMP + _ZONE, "timestamptz"
        zoned = f"ends_with({text}, 'Z') or substr({text}, -6, 1) in ('+', '-')"
        value = f"try_cast(case when {zoned} then {text} else {text} || 'Z' end as timestamptz)"
    zero = "+00" if kind.tz else ""
    earliest, latest = f"'0001-01-01 00:00:00{zero}'", f"'9999-12-31 23:59:59.999999{zero}'"
    known = f"coalesce({value} between {kind_name} {earliest} and {kind_name} {latest}, false)"
    return f"({is_string} and regexp_full_match({text}, '{pattern}') and {known})", value
