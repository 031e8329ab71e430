"""SQL of alerts and dashboards: it parses as Databricks SQL and names existing relations and columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.qualify import qualify

from orders.bundle_check.document import KeyPath, Node, Position
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.relations import Relations, read_relations
from orders.bundle_check.rules.subject import Subject

_DIALECT = "databricks"
_FIELD = re.compile(r"`([^`]+)`")
# A filter on several datasets counts by this name; the platform fills it in.
_PLATFORM_FIELDS = frozenset({"associative_filter_predicate_group"})


def check_sql(subject: Subject) -> Iterator[Finding]:
    """Check the query of every alert and of every dataset of every dashboard."""
    relations = read_relations(subject.root)
    for path, alert in subject.resources("alerts"):
        yield from _alert(alert, path, relations)
    for _, dashboard in subject.resources("dashboards"):
        file_node = dashboard.find("file_path")
        file = None if file_node is None else subject.local_path(file_node)
        if file_node is not None and file is not None and file.is_file():
            shown = (
                file.relative_to(subject.root).as_posix() if file.is_relative_to(subject.root) else file.name
            )
            schema = dashboard.find("dataset_schema")
            yield from check_dashboard(
                file, shown, relations, default_schema=str(schema.value) if schema is not None else None
            )


def _alert(alert: Node, path: KeyPath, relations: Relations) -> Iterator[Finding]:
    query = alert.find("query_text")
    if query is None or not isinstance(query.value, str):
        return
    problem, columns = problem_of(query.value, relations, default_schema=None)
    if problem is not None:
        yield finding(
            query,
            (*path, "query_text"),
            problem,
            allowed="one SELECT in Databricks SQL over relations named <catalog>.<schema>.<name>",
            remedy="Correct the statement.",
        )
        return
    for keys in (("source",), ("threshold", "column")):
        name = alert.find("evaluation", *keys, "name")
        if name is not None and columns and str(name.value).lower() not in columns:
            yield finding(
                name,
                (*path, "evaluation", *keys, "name"),
                f"the query has no column {name.value!r}",
                allowed=", ".join(columns),
                remedy="Use a column of the query.",
            )


def check_dashboard(
    file: Path, shown: str, relations: Relations, *, default_schema: str | None
) -> Iterator[Finding]:
    """Check one AI/BI dashboard file: its datasets' SQL, and that its widgets show their columns.

    Args:
        file: The `.lvdash.json` file.
        shown: Its name in findings.
        relations: The relations that its SQL may name.
        default_schema: The schema of a name without one (`dataset_schema` of the resource).
    """
    place = Position(shown, 1)
    text = file.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        yield finding(
            Position(shown, error.lineno),
            (),
            f"not JSON ({error.msg})",
            allowed="JSON",
            remedy="Correct the line.",
        )
        return
    columns_of: dict[str, tuple[str, ...]] = {}
    for index, dataset in enumerate(content.get("datasets") or []):
        key: KeyPath = ("datasets", index, "queryLines" if "queryLines" in dataset else "query")
        query = "".join(dataset.get("queryLines") or []) or str(dataset.get("query") or "")
        problem, columns = problem_of(query, relations, default_schema=default_schema)
        columns_of[str(dataset.get("name"))] = columns
        if problem is not None:
            yield finding(
                Position(shown, _line_of(text, f'"{dataset.get("name")}"')),
                key,
                f"dataset {dataset.get('displayName') or dataset.get('name')}: {problem}",
                allowed="one SELECT in Databricks SQL over relations of the project",
                remedy="Correct the statement.",
            )
    for page_at, page in enumerate(content.get("pages") or []):
        for widget_at, entry in enumerate(page.get("layout") or []):
            path = ("pages", page_at, "layout", widget_at, "widget")
            yield from _widget(entry.get("widget") or {}, path, columns_of, place, text)


def _widget(
    widget: dict[str, Any], path: KeyPath, columns_of: dict[str, tuple[str, ...]], place: Position, text: str
) -> Iterator[Finding]:
    for index, entry in enumerate(widget.get("queries") or []):
        query = entry.get("query") or {}
        name = str(query.get("datasetName"))
        where = (*path, "queries", index, "query")
        here = Position(place.file, _line_of(text, f'"{widget.get("name")}"'))
        if name not in columns_of:
            yield finding(
                here,
                (*where, "datasetName"),
                f"the dashboard has no dataset {name!r}",
                allowed=", ".join(columns_of),
                remedy="Use a dataset of this dashboard.",
            )
            continue
        for at, field in enumerate(query.get("fields") or []):
            for column in _FIELD.findall(str(field.get("expression"))):
                if columns_of[name] and column.lower() not in {*columns_of[name], *_PLATFORM_FIELDS}:
                    yield finding(
                        here,
                        (*where, "fields", at, "expression"),
                        f"dataset {name!r} has no column {column!r}",
                        allowed=", ".join(columns_of[name]),
                        remedy="Use a column of the dataset.",
                    )


def _line_of(text: str, needle: str) -> int:
    at = text.find(needle)
    return 1 if at < 0 else text.count("\n", 0, at) + 1


class UnknownRelationError(Exception):
    """A query names a relation that the project does not create."""


@lru_cache(maxsize=256)
def _parse(query: str) -> exp.Expr:
    statements = [statement for statement in sqlglot.parse(query, read=_DIALECT) if statement is not None]
    if len(statements) != 1:
        raise ParseError(f"{len(statements)} statements instead of one")
    return statements[0]


def problem_of(
    query: str, relations: Relations, *, default_schema: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return what is wrong with a query, and the lower-case names of its columns (empty if unknown).

    Columns are checked only if every relation of the query has declared columns.
    """
    try:
        tree = _parse(query).copy()
        if not isinstance(tree, exp.Query):
            return f"is not a query but {tree.key.upper()}", ()
        schema: dict[str, object] | None = _schema_of(tree, relations, default_schema)
        if schema is None:
            return None, tuple(name.lower() for name in tree.named_selects if name != "*")
        tree = qualify(tree, dialect=_DIALECT, schema=schema, db=default_schema, quote_identifiers=False)
    except (ParseError, TokenError) as error:
        return f"does not parse: {str(error).splitlines()[0]}", ()
    except UnknownRelationError as error:
        return str(error), ()
    except OptimizeError as error:
        return f"names a column that does not exist: {str(error).splitlines()[0]}", ()
    return None, tuple(name.lower() for name in tree.named_selects)


def _schema_of(tree: exp.Query, relations: Relations, default_schema: str | None) -> dict[str, object] | None:
    """Return the columns of every relation that a query names, or None if not all are declared.

    Names in the tree become `schema.name`, as sqlglot requires for the look-up.

    Raises:
        UnknownRelationError: The query names a relation that the project does not make.
    """
    ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    known = True
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in tree.find_all(exp.Table):
        if not table.db and table.name.lower() in ctes:
            continue
        where, name = (table.db or default_schema or "").lower(), table.name.lower()
        if "system" in {where, table.catalog.lower()} or where == "information_schema" or not name:
            known = False
            continue
        if not where:
            raise UnknownRelationError(f"{table.name} is named without its schema")
        if name not in relations.get(where, {}):
            raise UnknownRelationError(f"there is no relation {where}.{name}")
        known = known and bool(relations[where][name])
        schema.setdefault(where, {})[name] = relations[where][name]
        table.set("catalog", None)
        table.set("db", exp.to_identifier(where))
        table.set("this", exp.to_identifier(name))
    return dict(schema) if known else None
