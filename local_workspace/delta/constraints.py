"""NOT NULL, CHECK and the length of CHAR and VARCHAR, compared with rows before they become part of a table.

This is the one check of pipelines and of the SQL warehouse. Where the files' statistics tell, nothing is read; the rest is
counted in one query. Source: "Constraints on Databricks", Databricks documentation, section on enforced constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local_workspace.catalog.char_types import limit_of
from local_workspace.catalog.names import quote
from local_workspace.delta.log import null_count


class Kind(Enum):
    """What a rule is about."""

    CHECK = "CHECK"
    NOT_NULL = "NOT NULL"
    LENGTH = "LENGTH"


@dataclass(frozen=True)
class Broken:
    """A rule that rows break.

    Attributes:
        kind: What it is about.
        name: The column's name, or that of the CHECK constraint.
        rule: The CHECK expression, or the type whose length is exceeded.
        rows: How many rows break it.
    """

    kind: Kind
    name: str
    rule: str
    rows: int


def first_broken(
    adds: Sequence[Mapping[str, Any]],
    fields: Sequence[Mapping[str, Any]],
    checks: Mapping[str, str],
    count: Callable[[Sequence[str]], Sequence[int]],
) -> Broken | None:
    """Return the first rule that rows break; a CHECK is told before a NOT NULL, as Delta does.

    A CHECK holds only where it is true: Delta refuses rows for which it is NULL, too.

    Args:
        adds: The `add` actions of the files that have the rows.
        fields: The columns as they are to be, as in a Delta schema.
        checks: CHECK expressions by the names of their constraints.
        count: Counts the rows of these files for which each of some conditions is true.
    """
    if not adds:
        return None
    rules = [(Kind.CHECK, name, rule, f"({rule}\n) IS NOT TRUE") for name, rule in checks.items()]
    for field in fields:
        if field["nullable"]:
            continue
        known = [null_count(add, field["name"]) for add in adds]
        if any(known) and None not in known:
            rules.append((Kind.NOT_NULL, field["name"], "", ""))
        elif None in known:
            rules.append((Kind.NOT_NULL, field["name"], "", f"{quote(field['name'])} IS NULL"))
    for field in fields:
        limit = limit_of(field)
        if limit is not None:
            padded, length = limit
            kind = f"{'CHAR' if padded else 'VARCHAR'}({length})"
            rules.append((Kind.LENGTH, field["name"], kind, f"length({quote(field['name'])}) > {length}"))
    asked = [condition for *_, condition in rules if condition]
    counts = iter(count(asked) if asked else ())
    for broken, name, rule, condition in rules:
        rows = next(counts) if condition else sum(null_count(add, name) or 0 for add in adds)
        if rows:
            return Broken(broken, name, rule, rows)
    return None
