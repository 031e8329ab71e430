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
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIMESTAMP = _DATE + r"[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
_ZONE = r"(Z|[+-]((0\d|1[0-7]):[0-5]\d|18:00))?"
_NUMBER_OF = r"{}\s*:\s*(-?[0-9][0-9.eE+-]*)\s*[,}}]"
_PROBED = 2_000
_BATCH_ROWS = 8_192
_INTEGERS = {pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT"}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _pointer(key: str) -> str:
    """Return a JSON pointer (RFC 6901) to a member of the top object; any key can be written as one."""
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
        self._usual: list[str] = []
        self._statements: dict[tuple[str, ...], str] = {}

    def close(self) -> None:
        """Release DuckDB's memory."""
        self._connection.close()

    def parse(self, lines: pa.LargeStringArray) -> tuple[pa.Table, pa.Array, pa.Array]:
        """Parse the lines of a chunk.

        Nearly all lines of a source have the same keys in the same order. Those are taken first, by a statement that
        looks at these keys only; what has other keys is judged by one that knows all columns.

        Returns:
            The clean rows, the places of their lines in the chunk, and the places of all other lines, in
            order.
        """
        places = pa.array(np.arange(len(lines)))
        nothing = self._schema.empty_table(), places.slice(0, 0), places
        if not self.usable or not len(lines):
            return nothing
        try:
            usual = self._usual_keys(lines)
            if not usual:
                return self._run(lines, places, list(self.columns), exactly=False)[:3]
            rows, taken, others, unusual = self._run(lines, places, usual, exactly=True)
            if not len(unusual):
                return rows, taken, others
            if 2 * len(unusual) > len(lines):
                self._usual = []  # the next chunk says again what is usual
            more, also, rest, _ = self._run(lines.take(unusual), unusual, list(self.columns), exactly=False)
        except duckdb.Error:
            # A line that DuckDB's functions refuse as a whole; the exact parser takes the chunk.
            return nothing
        others = pa.concat_arrays([others, rest])
        return (
            pa.concat_tables([rows, more]),
            pa.concat_arrays([taken, also]),
            pc.take(others, pc.sort_indices(others)),
        )

    @property
    def _schema(self) -> pa.Schema:
        return pa.schema([pa.field(name, kind) for name, kind in self.columns.items()])

    def _usual_keys(self, lines: pa.LargeStringArray) -> list[str]:
        """Return the keys that most lines have, in their order; none if no statement can be made for them."""
        if not self._usual:
            self._connection.register("probe", pa.table({"l": lines.slice(0, _PROBED)}))
            try:
                found = self._connection.execute(
                    "select json_keys(l) k from probe where json_valid(l) group by k order by count(*) desc limit 1"
                ).fetchall()
            finally:
                self._connection.unregister("probe")
            keys = found[0][0] if found else []
            fits = len(set(keys)) == len(keys) and all(key in self.columns for key in keys)
            self._usual = list(keys) if fits else []
        return self._usual

    def _run(
        self, lines: pa.LargeStringArray, places: pa.Array, keys: list[str], *, exactly: bool
    ) -> tuple[pa.Table, pa.Array, pa.Array, pa.Array]:
        """Run the statement for some keys.

        Returns:
            The clean rows with their places, the places of the lines that are not clean, in order, and those of the
            lines that have other keys (only if `exactly`).
        """
        cached = (str(exactly), *keys)
        sql = self._statements.setdefault(cached, self._statement(keys, exactly=exactly))
        # DuckDB gives a thread one record batch at a time, so one large batch would keep one thread busy.
        chunk = pa.table({"n": places, "l": lines}).to_batches(max_chunksize=_BATCH_ROWS)
        self._connection.register("chunk", pa.Table.from_batches(chunk))
        try:
            result = self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.unregister("chunk")
        clean, known = result.column("clean"), result.column("known")
        rows = result.filter(clean)
        # By position: a column of the file may be called n or clean, or differ from another one in case only.
        at = {key: place for place, key in enumerate(keys, start=3)}
        arrays = [
            rows.column(at[field.name]).cast(field.type)
            if field.name in at
            else pa.nulls(len(rows), field.type)
            for field in self._schema
        ]
        number = result.column("n")
        others = number.filter(pc.and_(known, pc.invert(clean))).combine_chunks()
        unusual = number.filter(pc.invert(known)).combine_chunks()
        return (
            pa.Table.from_arrays(arrays, schema=self._schema),
            rows.column("n").combine_chunks(),
            pc.take(others, pc.sort_indices(others)),
            pc.take(unusual, pc.sort_indices(unusual)),
        )

    def _statement(self, names: list[str], *, exactly: bool) -> str:
        """Write the statement.

        Args:
            names: The keys that are looked at.
            exactly: Whether a line must have these keys, in this order; otherwise it may have any of them, each once.
        """
        listed = "[" + ", ".join(_literal(n) for n in names) + "]"
        pointers = "[" + ", ".join(_literal(_pointer(n)) for n in names) + "]"
        checks, values = [], []
        for at, name in enumerate(names, start=1):
            kind = self.columns[name]
            check, value = (
                _text_column(name, f"t[{at}]", f"v[{at}]")
                if kind == pa.string()
                else _column(f"t[{at}]", f"v[{at}]", kind)
            )
            checks.append(f"(t[{at}] is null or t[{at}] = 'NULL' or {check})")
            values.append(f"case when clean then {value} end as c{at - 1}")
        # A run of 16 digits or an exponent may have lost digits in DuckDB's number type; \\u0000 and \\ud...
        # are corner cases of text; all of them are rare, so the exact parser takes such lines.
        numeric = any(pa.types.is_decimal(k) or pa.types.is_floating(k) for k in self.columns.values())
        long_number = "and not regexp_matches(l, '[0-9.]{16}|[0-9][eE][+-]?[0-9]')" if numeric else ""
        # Arrays and single values have no keys; without its own test an empty list would be one with all keys known.
        known = (
            f"k = {listed}"
            if exactly
            else f"json_type(j) = 'OBJECT' and list_has_all({listed}, k) and len(k) = len(list_distinct(k))"
        )
        return f"""
            with parsed as (
                select n, l,
                       case when json_valid(l) and not contains(l, '\\u0000') and not contains(l, '\\ud')
                                 and not contains(l, '\\uD') {long_number}
                            then l end as j
                from chunk),
            typed as (
                select n, l, j, json_keys(j) as k, json_type(j, {pointers}) as t,
                       json_extract_string(j, {pointers}) as v
                from parsed),
            recognised as (select *, coalesce({known}, false) as has_keys from typed),
            judged as (
                select n, l, t, v, {"has_keys or j is null" if exactly else "true"} as known,
                       coalesce(has_keys and {" and ".join(checks)}, false) as clean
                from recognised)
            select n, known, clean, {", ".join(values)} from judged"""


def _text_column(key: str, kind_of: str, text: str) -> tuple[str, str]:
    """Return the SQL of both for a STRING column: a text, true or false, or a number as it is written in the line.

    DuckDB writes numbers in its own way, so a number is taken from the line. Its key is there once: keys are
    distinct, nested objects are not taken, and inside of a text its quotes would have backslashes.
    """
    written = (
        f"regexp_extract(l, {_literal(_NUMBER_OF.format(re.escape(json.dumps(key, ensure_ascii=False))))}, 1)"
    )
    is_number = f"{kind_of} in ('BIGINT', 'UBIGINT', 'DOUBLE')"
    # CASE and not OR: only CASE leaves out what it need not compute.
    return (
        f"case when {is_number} then {written} <> '' else {kind_of} in ('VARCHAR', 'BOOLEAN') end",
        f"case when {is_number} then {written} else {text} end",
    )


def _column(kind_of: str, text: str, kind: pa.DataType) -> tuple[str, str]:
    """Return the SQL of `the value may be taken` and of `the value`, from the SQL of its JSON type and text."""
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
