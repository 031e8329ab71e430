"""What was worked out for a text, kept for as long as everything that it rests on is as it was.

To put a statement in the engine's words, its views are read through all their views, and types are inferred on the way.
Texts come again and again: a view in every statement that reads it, a test in every build. So each answer is kept
with its *premises*: the tables, views, columns, policies and functions that were looked up on the way, and what was found.
It is used again only if each of these is found the same now. Nothing has to be told about a change, so a change by
another process cannot be missed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_workspace.catalog import Catalog, Function, Policy, Table, TableName
from local_workspace.catalog.records import Column
from local_workspace.sql.view_text import VIEW_COLUMN_NAMES, VIEW_NAMESPACE, TemporaryView

# Of texts, answers and premises together, about as many bytes: a build of a hundred models needs a fifth.
_MOST_CHARACTERS = 30_000_000
# What an answer, and each lookup that it rests on, take besides texts.
_ANSWER, _LOOKUP = 2_000, 250

#: What was looked up: how, and by which name.
Lookup = tuple[str, Any]


@dataclass
class Premises:
    """What an answer rests on.

    Attributes:
        found: What each lookup gave.
        tables: The tables that the engine has to know, with the names as written and their folders.
        is_complete: Whether these are all; an answer that rests on anything else is not kept.
    """

    found: dict[Lookup, Hashable] = field(default_factory=dict)
    tables: dict[tuple[str, str, str], tuple[TableName, Path]] = field(default_factory=dict)
    is_complete: bool = True

    def add(self, other: Premises) -> None:
        """Rest on what another answer rests on, too."""
        self.found.update(other.found)
        self.tables.update(other.tables)
        self.is_complete = self.is_complete and other.is_complete


class Memory:
    """Answers of all sessions, by what was asked; those that were not used for the longest time go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, Premises, int]] = OrderedDict()
        self._characters = 0

    def get(self, asked: Hashable) -> tuple[Any, Premises] | None:
        """Return the answer and its premises, which the caller has to compare; None if there is none."""
        with self._lock:
            kept = self._kept.get(asked)
            if kept is None:
                return None
            self._kept.move_to_end(asked)
            return kept[0], kept[1]

    def put(self, asked: Hashable, answer: Any, premises: Premises, characters: int) -> None:
        """Keep an answer in place of the one there is.

        Args:
            asked: What was asked.
            answer: The answer; nobody may change it.
            premises: What it rests on; nobody may change them.
            characters: The length of the texts of both.
        """
        characters += _ANSWER + _LOOKUP * len(premises.found)
        if characters > _MOST_CHARACTERS // 2:
            return  # it would take the place of all others
        with self._lock:
            former = self._kept.pop(asked, None)
            self._characters += characters - (former[2] if former else 0)
            self._kept[asked] = (answer, premises, characters)
            while self._characters > _MOST_CHARACTERS and self._kept:
                _, (_, _, length) = self._kept.popitem(last=False)
                self._characters -= length


class Surroundings:
    """What the names of one statement mean to its session; each is looked up once, so that all its parts agree.

    Args:
        catalog: The workspace's catalog.
        temporary_views: Those of the session, by name in lower case.
        temporary_functions: As `temporary_views`.
        groups: What the session has set of its user's groups.
    """

    def __init__(
        self,
        catalog: Catalog,
        temporary_views: dict[str, TemporaryView],
        temporary_functions: dict[str, Function],
        groups: str | None,
    ) -> None:
        self._catalog = catalog
        self._temporary_views, self._temporary_functions = temporary_views, temporary_functions
        self._groups = groups
        self._known: dict[Lookup, tuple[Any, Hashable]] = {}
        self._by_kind: dict[str, Callable[[Any], tuple[Any, Hashable]]] = {
            "temporary view": self._temporary_view,
            "table": self._table,
            "columns": self._columns,
            "policies": self._policies,
            "functions": self._functions,
            "groups": lambda _: (self._groups, self._groups),
        }

    def look(self, lookup: Lookup, premises: Premises) -> Any:
        """Return what a lookup gives, and note it among the premises."""
        known = self._known.get(lookup)
        if known is None:
            try:
                known = self._by_kind[lookup[0]](lookup[1])
            except BaseException:
                premises.is_complete = False
                raise
            self._known[lookup] = known
        premises.found[lookup] = known[1]
        return known[0]

    def hold(self, premises: Premises) -> bool:
        """Return whether each lookup gives now what it gave then."""
        for lookup, found in premises.found.items():
            known = self._known.get(lookup)
            if known is None:
                try:
                    known = self._known[lookup] = self._by_kind[lookup[0]](lookup[1])
                except Exception:  # noqa: BLE001  (whoever needs it will meet the error again)
                    return False
            if known[1] != found:
                return False
        return True

    def _temporary_view(self, name: str) -> tuple[TemporaryView | None, Hashable]:
        view = self._temporary_views.get(name)
        return view, view

    def _table(self, name: TableName) -> tuple[Table | None, Hashable]:
        table = self._catalog.get(name)
        if table is None:
            return None, None
        own = (table.name.catalog, table.name.schema, table.name.table)
        namespace, names = table.properties.get(VIEW_NAMESPACE), table.properties.get(VIEW_COLUMN_NAMES)
        return table, (*own, table.kind, table.location, table.view_sql, namespace, names)

    def _columns(self, name: TableName) -> tuple[tuple[Column, ...], Hashable]:
        columns = tuple(self._catalog.columns(self.look(("table", name), Premises()) or name))
        return columns, columns

    def _policies(self, name: TableName) -> tuple[tuple[Policy, ...], Hashable]:
        policies = tuple(self._catalog.policies(name))
        return policies, policies

    def _functions(self, _: None) -> tuple[bool, Hashable]:
        """Whether there are any; that two answers are alike means that all of them are."""
        known = tuple(self._catalog.all_functions())
        own = tuple(self._temporary_functions.items())
        return bool(known or own), (known, own)
