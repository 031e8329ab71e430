"""Names of catalogs, schemas, tables and volumes: parsing, comparing without regard to case, quoting."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_workspace.errors import InputError
from local_workspace.layout import check_name

_PART = re.compile(r"`((?:[^`]|``)+)`|([^`.\s]+)")


def quote(*parts: str) -> str:
    """Quote name parts for Spark SQL: `quote("a", "b-c")` is ``` `a`.`b-c` ```."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def split_name(text: str) -> tuple[str, ...]:
    """Split a dotted name, with or without backticks, into its parts.

    Raises:
        InputError: The text is not a dotted name.
    """
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            break
        parts.append(match[1].replace("``", "`") if match[1] is not None else match[2])
        position = match.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            break
        position += 1
    raise InputError(
        "This is not a dotted name", got=repr(text), allowed="name, schema.name or catalog.schema.name"
    )


@dataclass(frozen=True, eq=False)
class TableName:
    """A three-level name of a table or view; two names that differ in case only are equal."""

    catalog: str
    schema: str
    table: str

    def __post_init__(self) -> None:
        check_name(self.catalog, "catalog")
        check_name(self.schema, "schema")
        check_name(self.table, "table")

    @classmethod
    def parse(cls, text: str, *, catalog: str | None = None, schema: str | None = None) -> TableName:
        """Read `a.b.c`, `b.c` or `c`, with or without backticks; what is missing comes from the arguments.

        Raises:
            InputError: The text is not a dotted name, or a level is neither in the text nor in the arguments.
        """
        parts = split_name(text.strip())
        full = (catalog, schema)[: max(0, 3 - len(parts))] + parts
        if len(full) != 3 or any(part is None for part in full):
            raise InputError(
                "The name does not identify a table",
                got=repr(text),
                allowed="catalog.schema.table, or fewer levels where a catalog and schema are set",
            )
        return cls(*(str(part) for part in full))

    @property
    def key(self) -> tuple[str, str, str]:
        """The lower-case parts, by which names are compared."""
        return (self.catalog.lower(), self.schema.lower(), self.table.lower())

    @property
    def quoted(self) -> str:
        """The name with each part in backticks."""
        return quote(self.catalog, self.schema, self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableName) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: TableName) -> bool:
        return self.key < other.key

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.table}"


@dataclass(frozen=True)
class Securable:
    """Anything that can carry a comment, tags and grants: a catalog, schema, table (or view), volume or function.

    Args:
        type: `CATALOG`, `SCHEMA`, `TABLE`, `VOLUME` or `FUNCTION`.
        parts: One name part for a catalog, two for a schema, three for all others.
    """

    type: str
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        levels = {"CATALOG": 1, "SCHEMA": 2, "TABLE": 3, "VOLUME": 3, "FUNCTION": 3}
        if self.type not in levels:
            raise InputError("This is not a kind of securable", got=self.type, allowed=", ".join(levels))
        if len(self.parts) != levels[self.type]:
            raise InputError(
                f"The name of a {self.type.lower()} has {levels[self.type]} level(s)",
                got=".".join(self.parts),
            )

    @classmethod
    def of(cls, name: Securable | TableName) -> Securable:
        """Take a table name as the securable it is."""
        return name if isinstance(name, Securable) else cls("TABLE", (name.catalog, name.schema, name.table))

    @property
    def keys(self) -> tuple[str, ...]:
        """The lower-case parts."""
        return tuple(part.lower() for part in self.parts)

    def __str__(self) -> str:
        return f"{self.type.lower()} {'.'.join(self.parts)}"
