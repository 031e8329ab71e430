"""The one table of functions: what kind each is, what type it gives, and whether the engine computes it rightly.

Read by the warehouse's SQL and by the plans of pipelines alike. Names, arguments and types are those of the "Built-in
functions" of the Databricks SQL language reference, as far as Apache Spark has them; each type was asked of Apache Spark.
A function that is not listed is passed on as it is, its type unknown.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from local_workspace.errors import NotSupported
from local_workspace.sql.function_signatures import SIGNATURES

#: What a letter of a signature stands for, as SQL.
SAMPLES = {
    "s": "'Spark SQL'",
    "c": "'a'",
    "n": "'42'",
    "i": "7",
    "j": "2",
    "b": "5000000000",
    "k": "cast(3 as smallint)",
    "d": "cast(12.345 as decimal(10,3))",
    "f": "2.5D",
    "r": "1.5F",
    "o": "0.5D",
    "D": "date'2024-02-29'",
    "E": "date'2024-01-15'",
    "T": "timestamp'2024-02-29 10:20:30.123456'",
    "U": "timestamp'2024-01-15 23:00:00'",
    "B": "true",
    "x": "cast('abc' as binary)",
    "a": "array('b', 'a', cast(null as string))",
    "q": "array(3, 1, 2)",
    "p": "array(array(1), array(2, 3))",
    "m": "map('a', 1, 'b', 2)",
    "t": "named_struct('a', 1, 'b', 'x')",
    "e": "array(named_struct('a', 1, 'b', 'x'))",
    "J": '\'{"a": 1, "b": [1, 2]}\'',
    "v": "parse_json('{\"a\": 1}')",
}

# Their order may differ, which nobody may rely on; as a group's value they count as the same.
_BY_GROUP = frozenset({"collect_list", "collect_set", "max_by", "min_by"})
#: A letter, a literal in quotes, or SQL in braces: the arguments of a signature.
ARGUMENT = re.compile(r"'[^']*'|\{[^}]*\}|.")
_CALL = re.compile(r"(\w+)\(((?:'[^']*'|\{[^}]*\}|[^')])*)\)")


class Kind(Enum):
    """How many rows a function looks at, and gives."""

    ROW = "row"
    AGGREGATE = "aggregate"
    WINDOW = "window"
    GENERATOR = "generator"


@dataclass(frozen=True)
class Function:
    """One function.

    Attributes:
        name: In lower case.
        kind: Of rows.
        result: The name of the rule for its type, see :mod:`local_workspace.sql.function_types`.
        signatures: The letters of its arguments, one string a form; for samples see :data:`SAMPLES`.
        deterministic: Whether the same rows give the same value at any time, for any user, in any order.
        way_out: What to write instead, for a function that the engine computes wrongly and that is refused; else "".
    """

    name: str
    kind: Kind
    result: str
    signatures: tuple[str, ...] = field(default=())
    deterministic: bool = True
    way_out: str = ""

    @property
    def incremental(self) -> bool:
        """Whether its value for a row does not depend on other rows, nor on when it is asked."""
        return self.kind is Kind.ROW and self.deterministic

    def examples(self) -> Iterator[str]:
        """Return calls of the function, one per signature, that need no table."""
        for letters in self.signatures:
            arguments = [SAMPLES.get(a, a.strip("{}")) for a in ARGUMENT.findall(letters)]
            yield f"{self.name}({', '.join(arguments)})"


#: Function -> what to write instead. Each was measured against Apache Spark; a test shows the engine alone to be wrong.
REFUSED = {
    "percentile_approx": "It interpolates here, where Databricks gives a value of the data. Use percentile()",
    "approx_percentile": "It interpolates here, where Databricks gives a value of the data. Use percentile()",
}


def refuse(name: str) -> None:
    """Refuse a function that the engine computes wrongly.

    Args:
        name: The function.

    Raises:
        NotSupported: It is one of these.
    """
    way_out = REFUSED.get(name.lower())
    if way_out is not None:
        raise NotSupported(f"{name.lower()}()", way_out)


_VOLATILE_NAMES = """
    any_value approx_top_k approx_top_k_accumulate array_agg collect_list collect_set curdate current_catalog
    current_database current_date current_path current_schema current_time current_timestamp current_timezone current_user
    first first_value getdate input_file_block_length input_file_block_start input_file_name java_method last last_value
    listagg localtimestamp max_by min_by mode monotonically_increasing_id now rand randn random randstr reflect session_user
    shuffle spark_partition_id string_agg uniform unix_timestamp user uuid version
"""
_VOLATILE = frozenset(_VOLATILE_NAMES.split())
#: Depend on the order of rows within a group, which an engine is free to choose, but on nothing outside of the group.
_ORDERED_NAMES = """
    any_value array_agg collect_list collect_set first first_value last last_value listagg max_by min_by mode string_agg
"""
ORDER_DEPENDENT = frozenset(_ORDERED_NAMES.split())


# As the plans of Spark Connect name them; they are functions of their row.
_OPERATOR_NAMES = """
    + - * / % div == = <=> != <> < > <= >= ! and or not & | ^ ~ << >> >>> || when case in between cast try_cast create_map
    isnull isnotnull like ilike rlike mod
"""


@functools.lru_cache(maxsize=1)
def table() -> dict[str, Function]:
    """Return every function by its name in lower case."""
    forms: dict[str, tuple[Kind, str, list[str]]] = {}
    for line in SIGNATURES.strip().splitlines():
        kind, result, calls = (part.strip() for part in line.split("|", 2))
        for name, letters in _CALL.findall(calls):
            forms.setdefault(name, (Kind(kind), result, []))[2].append(letters)
    functions = {name: Function(name, Kind.ROW, "operator") for name in _OPERATOR_NAMES.split()}
    for name, (function_kind, result, signatures) in forms.items():
        functions[name] = Function(
            name,
            function_kind,
            result,
            tuple(signatures),
            name not in _VOLATILE,
            REFUSED.get(name, ""),
        )
    return functions


def function(name: str) -> Function | None:
    """Return the function of that name, or None if the table has none."""
    return table().get(name.lower())


def is_aggregate(name: str) -> bool:
    """Return whether a function of this name makes one value of many rows."""
    found = function(name)
    return found is not None and found.kind is Kind.AGGREGATE


def is_window(name: str) -> bool:
    """Return whether a function of this name needs OVER."""
    found = function(name)
    return found is not None and found.kind is Kind.WINDOW


def is_incremental(name: str) -> bool:
    """Whether a function of this name gives the same for a row whatever other rows there are, and whenever it is asked."""
    found = function(name)
    return found is not None and found.incremental


def is_of_its_group(name: str) -> bool:
    """Return whether an aggregate's value follows from the rows of its group alone, in whatever order they come."""
    found = function(name)
    return (
        found is not None
        and found.kind is Kind.AGGREGATE
        and (found.deterministic or name.lower() in _BY_GROUP)
    )


def is_volatile(name: str) -> bool:
    """Return whether a function's value depends on time, chance or the user."""
    return name.lower() in _VOLATILE and name.lower() not in ORDER_DEPENDENT
