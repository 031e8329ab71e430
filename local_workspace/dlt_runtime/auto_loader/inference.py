"""The schema of a source: inferred from its files, corrected by hints, widened when files bring new columns.

Types follow Spark's JSON inference (integers BIGINT, other numbers DOUBLE, mixed ones STRING); without
`inferColumnTypes` every column is STRING, as Auto Loader does. All new files of a batch are sampled, not only
the first thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader.spark_json import Number, Pairs
from local_workspace.dlt_runtime.auto_loader.strict_json import Unreadable, parse_members
from local_workspace.dlt_runtime.own_columns import is_own

_NULL = pa.null()
_LONGEST_INTEGER = 18
_MOST_DIGITS = 38
#: A source has no more columns than this; a record that uses ids as keys must not make a column of each.
MOST_COLUMNS = 500
#: Nor has it more fields than this, those inside structs counted: an object that uses ids as keys stays JSON text.
_MOST_FIELDS = 2000
_LONGEST_NAME = 255
#: Levels of structs and arrays in one column. Deeper ones are not a data model, and could exhaust the engine's stack.
_DEEPEST = 16


class KeySurvey:
    """Collects, over the lines of a batch, which keys there are and which types would hold them.

    Args:
        types: Whether types are wanted; otherwise only keys are collected, which is cheaper.
        known: Keys whose type is settled.
    """

    def __init__(self, *, types: bool, known: Iterable[str] = ()) -> None:
        self._types = types
        self._known = set(known)
        self.found: dict[str, pa.DataType] = {}
        self._connection = duckdb.connect(config={"threads": 2})

    def close(self) -> None:
        """Release DuckDB's memory."""
        self._connection.close()

    def add(self, lines: pa.LargeStringArray) -> None:
        """Look at the lines of a chunk."""
        if not len(lines):
            return
        self._connection.register("chunk", pa.table({"l": lines}))
        try:
            self._add_in_bulk()
        except duckdb.Error:
            # A line that DuckDB's functions refuse as a whole.
            for line in lines:
                self.add_text(line.as_py())
        finally:
            self._connection.unregister("chunk")

    def _add_in_bulk(self) -> None:
        groups = self._connection.execute(
            f"select k, min(n) from (select row_number() over () n, case when {_OBJECT} then json_keys(l) end k from chunk)"
            " group by k order by 2"
        ).fetchall()
        keys = list(
            dict.fromkeys(key for group, _ in groups if group for key in group if key not in self._known)
        )
        if keys:
            if self._types:
                self._add_types(keys)
            else:
                self.found.update({key: pa.string() for key in keys})
        if any(group is None for group, _ in groups):
            # Arrays of objects, and what only the exact parser takes for a record: NaN, for instance.
            others = self._connection.execute(f"select l from chunk where not coalesce({_OBJECT}, false)")
            while found := others.fetchmany(10_000):
                for (line,) in found:
                    self.add_text(line)

    def _add_types(self, keys: list[str]) -> None:
        pointers = ", ".join("'" + _pointer(key).replace("'", "''") + "'" for key in keys)
        plain = f"{_OBJECT} and not regexp_matches(l, '{_LONG_INTEGER}')"
        groups = self._connection.execute(
            f"select distinct json_type(l, [{pointers}]) from chunk where {plain}"
        ).fetchall()
        nested: dict[str, None] = {}
        for (types,) in groups:
            for key, name in zip(keys, types, strict=True):
                if name in _DUCKDB_TYPES:
                    self.found[key] = merge(self.found.get(key, _NULL), _DUCKDB_TYPES[name])
                elif name is not None:
                    nested[key] = None  # an object or an array: its type is in the values
        self._add_values(list(nested))
        # DuckDB takes integers beyond 64 bits for DOUBLE.
        for (line,) in self._connection.execute(
            f"select l from chunk where json_valid(l) and regexp_matches(l, '{_LONG_INTEGER}')"
        ).fetchall():
            self.add_text(line)

    def _add_values(self, keys: list[str]) -> None:
        for key in keys:
            pointer = _pointer(key).replace("'", "''")
            values = self._connection.execute(
                f"select distinct json_extract(l, '{pointer}')::varchar from chunk where {_OBJECT}"
            ).fetchall()
            for (value,) in values:
                if value is not None:
                    self.found[key] = merge(self.found.get(key, _NULL), _type_of_text(value))

    def add_text(self, text: str) -> None:
        """Look at one line, or at a whole file, that holds an array of objects or one object."""
        try:
            records = parse_members(text)
        except Unreadable:
            return
        for members in records:
            for key, _raw, value in members:
                if key not in self._known:
                    kind = type_of(value) if self._types else pa.string()
                    self.found[key] = merge(self.found.get(key, _NULL), kind)

    def columns(self) -> dict[str, pa.DataType]:
        """Return the new columns in order of appearance; one that was always null is STRING."""
        return {key: column_type(kind) for key, kind in self.found.items()}


def _type_of_text(text: str) -> pa.DataType:
    try:
        return type_of(parse_members('{"v":' + text + "}")[0][0][2])
    except Unreadable:
        return _NULL  # too deep, or only DuckDB takes it for JSON: the line will be unreadable


_DUCKDB_TYPES = {
    "NULL": pa.null(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "UBIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
}
_OBJECT = "json_valid(l) and json_type(l) = 'OBJECT'"
#: An integer of 19 digits or more, which may not fit BIGINT.
_LONG_INTEGER = r"[:\[,]\s*-?[0-9]{19}"


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def type_of(value: Any, depth: int = 0) -> pa.DataType:  # noqa: PLR0911  (one a type)
    """Infer the type of one parsed JSON value; what lies too deep is kept as JSON text."""
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, Number):
        digits = value.lstrip("-")
        if not digits.isdigit():
            return pa.float64()
        if len(digits) > _MOST_DIGITS:
            return pa.float64()  # Python would refuse to read more than 4,300
        if len(digits) <= _LONGEST_INTEGER or -(2**63) <= int(value) < 2**63:
            return pa.int64()
        return pa.decimal128(_MOST_DIGITS, 0)
    if depth >= _DEEPEST:
        return pa.string()
    if isinstance(value, Pairs):
        members: dict[str, pa.DataType] = {}
        for key, item in value:
            members[key] = merge(members.get(key, _NULL), type_of(item, depth + 1))
        return pa.struct(list(members.items())) if members else pa.string()
    if isinstance(value, list):
        element = _NULL
        for item in value:
            element = merge(element, type_of(item, depth + 1))
        return pa.list_(element)
    return pa.string()


def merge(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both."""
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    numbers = {"int64": 0, "decimal128(38, 0)": 1, "double": 2}
    if str(a) in numbers and str(b) in numbers:
        return max(a, b, key=lambda kind: numbers[str(kind)])
    if pa.types.is_struct(a) and pa.types.is_struct(b):
        fields = {f.name: f.type for f in a}
        for other in b:
            fields[other.name] = merge(fields.get(other.name, _NULL), other.type)
        return pa.struct(list(fields.items()))
    if pa.types.is_list(a) and pa.types.is_list(b):
        return pa.list_(merge(a.value_type, b.value_type))
    return pa.string()


def column_type(kind: pa.DataType) -> pa.DataType:
    """Make a type that a table can have: what was never seen with a value becomes STRING."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        names = [f.name.lower() for f in kind]
        if len(set(names)) != len(names) or not all(map(can_be_column, names)):
            return pa.string()
        return pa.struct([(f.name, column_type(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(column_type(kind.value_type))
    return kind


def apply_hints(
    columns: Mapping[str, pa.DataType], hints: Mapping[str, pa.DataType]
) -> dict[str, pa.DataType]:
    """Give inferred columns the types of the hints; hinted columns that no file has are added at the end."""
    by_key = {name.lower(): (name, kind) for name, kind in hints.items()}
    result: dict[str, pa.DataType] = {}
    for name, kind in columns.items():
        if name.lower() in by_key and name.lower() not in {r.lower() for r in result}:
            hinted, wanted = by_key[name.lower()]
            result[hinted if hinted == name else name] = wanted
        else:
            result[name] = kind
    present = {name.lower() for name in result}
    result.update({name: kind for name, kind in hints.items() if name.lower() not in present})
    return result


def can_be_column(name: str) -> bool:
    """Say whether a key can be the name of a Delta column.

    Delta refuses these characters (no column mapping is used); control characters, NUL above all, would get lost
    between programs that hand names over as C strings. What the runtime calls its own columns is not free either.
    """
    return (
        not is_own(name)
        and bool(name)
        and len(name) <= _LONGEST_NAME
        and not any(c in " ,;{}()=\x7f" or c < " " for c in name)
    )


def possible_columns(
    columns: Mapping[str, pa.DataType], taken: Mapping[str, pa.DataType]
) -> dict[str, pa.DataType]:
    """Leave out keys that cannot be columns, differ from an earlier one in case only, or are too many.

    Their values are rescued. An object or array whose fields are too many is a column of JSON text.

    Args:
        columns: The new keys with their types.
        taken: The columns that the source has, with their types.
    """
    seen = {name.lower() for name in taken}
    fields = sum(map(_fields, taken.values()))
    result: dict[str, pa.DataType] = {}
    for name, kind in columns.items():
        if len(seen) >= MOST_COLUMNS:
            break
        if name.lower() not in seen and can_be_column(name):
            seen.add(name.lower())
            added = _fields(kind)
            fits = fields + added <= _MOST_FIELDS or not pa.types.is_nested(kind)
            result[name] = kind if fits else pa.string()
            fields += added if fits else 1
    return result


def _fields(kind: pa.DataType) -> int:
    """Count the fields of a type, itself included."""
    inner = [kind.field(at).type for at in range(kind.num_fields)] if pa.types.is_nested(kind) else []
    return 1 + sum(map(_fields, inner))
