"""One client's session: where it is (catalog and schema), its temporary views, and its texts as the engine reads them."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from local_workspace.catalog import Function, Table, TableName
from local_workspace.errors import LocalWorkspaceError, NotSupported
from local_workspace.sql import spark_types
from local_workspace.sql.dialect import SqlSyntaxError, peek
from local_workspace.sql.file_paths import is_path, no_permission, readable_path, refuse_other_forms
from local_workspace.sql.inference import Columns, TableColumns, Typing
from local_workspace.sql.inlining import Lookup, inline
from local_workspace.sql.metric_view import (
    MENTIONS_MEASURE,
    MetricView,
    read_metric_view,
    refuse_without_measure,
    with_measures,
)
from local_workspace.sql.references import MAX_VIEW_DEPTH, Source, check_depth, replace_references
from local_workspace.sql.sql_error import (
    SqlError,
    catalog_not_found,
    not_supported,
    schema_not_found,
    table_not_found,
)
from local_workspace.sql.tokens import Token, quote_identifier, quote_string, tokenize
from local_workspace.sql.translation import for_engine
from local_workspace.sql.view_text import VIEW_COLUMN_NAMES, VIEW_NAMESPACE, TemporaryView
from local_workspace.sql_warehouse.arrow_types import type_text
from local_workspace.sql_warehouse.policies import shown
from local_workspace.sql_warehouse.recursion import without_recursion
from local_workspace.sql_warehouse.remembered import Premises, Surroundings
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.services import Services
from local_workspace.sql_warehouse.stand_in import StandIn
from local_workspace.sql_warehouse.statements.information_schema import INFORMATION_SCHEMA, build_relation
from local_workspace.sql_warehouse.statements.location import location_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

T = TypeVar("T")

_CURRENT = re.compile(
    r"\bcurrent_(catalog|schema|database|user)\s*\(\s*\)|\bsession_user\s*\(\s*\)"
    r"|\bis_(account_group_)?member\s*\(",
    re.IGNORECASE,
)
_TIME_TRAVEL = re.compile(r"\bAS\s+OF\b", re.IGNORECASE)
_RECURSIVE = re.compile(r"\bWITH\s+RECURSIVE\b", re.IGNORECASE)
_MEMBER = ("IS_ACCOUNT_GROUP_MEMBER", "IS_MEMBER")
# What SET says of the groups of the one user here, who is in every group as long as nothing is said.
GROUPS_SETTING = "local_workspace.groups"


@dataclass(frozen=True)
class _Scope:
    """Where the names of a text are looked for.

    Attributes:
        catalog: Of names without a catalog.
        schema: Of names without a schema.
        depth: How many views are open, one within the other.
        raw: A table that is read as it is stored, whatever its row filter and masks.
        functions: Gives functions of SQL; by default those that the session sees.
        around: What names mean while the statement is read.
        premises: What the text that is worked out here rests on.
    """

    catalog: str
    schema: str
    around: Surroundings
    premises: Premises = field(default_factory=Premises)
    depth: int = 0
    raw: TableName | None = None
    functions: Lookup | None = None

    def within(self, catalog: str, schema: str) -> _Scope:
        """Return the scope of a view's text; what is raw for the statement is not raw in there."""
        return replace(self, catalog=catalog, schema=schema, depth=self.depth + 1, raw=None)

    def look(self, kind: str, name: Any) -> Any:
        """Look something up, and note that the text rests on it."""
        return self.around.look((kind, name), self.premises)


class Session:
    """A session of one client.

    Args:
        warehouse: What all sessions of the warehouse share.
        catalog: The current catalog.
        schema: The current schema.
        configuration: Settings that the client asked for when it opened the session.

    Attributes:
        catalog_name: The current catalog.
        schema_name: The current schema.
        temporary_views: By name in lower case.
        temporary_functions: By name in lower case.
        settings: What SET has set.
        last_used: ``time.monotonic()`` of the last statement.
    """

    def __init__(
        self, warehouse: Services, catalog: str, schema: str, configuration: Mapping[str, str]
    ) -> None:
        self.warehouse = warehouse
        self.catalog = warehouse.catalog
        self.catalog_name = catalog
        self.schema_name = schema
        self.temporary_views: dict[str, TemporaryView] = {}
        self.temporary_functions: dict[str, Function] = {}
        self.settings: dict[str, str] = dict(configuration)
        self.engine = warehouse.engines.take()
        self.id = secrets.token_hex(8)
        self.last_used = time.monotonic()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False

    def close(self) -> None:
        """End the session; its temporary views are gone."""
        self.temporary_views.clear()
        with self._lock:
            was_closed, self._closed = self._closed, True
        if was_closed:
            return
        if self._running:
            # Ends what runs; the next client must not wait behind it.
            self.engine.close()
        else:
            self.warehouse.engines.give_back(self.engine)

    @property
    def tag(self) -> str | None:
        """The engine's tag of the statement that this thread runs."""
        return getattr(self._local, "tag", None)

    @contextmanager
    def running(self, tag: str) -> Iterator[None]:
        """Count a statement that this thread runs, under a tag by which it can be canceled."""
        self.last_used = time.monotonic()
        self._local.tag = tag
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)
            self._local.tag = None
            self.engine.drop_rows()
            self._kept_columns().clear()
            self.last_used = time.monotonic()

    def _count(self, more: int) -> None:
        with self._lock:
            self._running += more

    # Names

    def table_name(self, parts: Sequence[str]) -> TableName:
        """Return the three-level name that one to three parts mean here.

        Raises:
            SqlError: There are more than three parts, or one that cannot be (part of) a name.
        """
        if is_path(parts):
            raise no_permission(*parts)
        if not 1 <= len(parts) <= 3:
            raise SqlError(
                "REQUIRES_SINGLE_PART_NAMESPACE", f"{'.'.join(parts)} is not the name of a table.", "42K05"
            )
        return TableName(*((self.catalog_name, self.schema_name)[: 3 - len(parts)] + tuple(parts)))

    def schema_parts(self, parts: Sequence[str]) -> tuple[str, str]:
        """Return the catalog and schema that one or two parts mean here."""
        if not 1 <= len(parts) <= 2:
            raise SqlError(
                "REQUIRES_SINGLE_PART_NAMESPACE", f"{'.'.join(parts)} is not the name of a schema.", "42K05"
            )
        return (self.catalog_name if len(parts) == 1 else parts[0], parts[-1])

    def require_catalog(self, catalog: str) -> None:
        """Check that a catalog exists.

        Raises:
            SqlError: NO_SUCH_CATALOG_EXCEPTION.
        """
        if catalog.lower() not in {c.catalog.lower() for c in self.catalog.catalogs()} | {"system"}:
            raise catalog_not_found(catalog)

    def require_schema(self, catalog: str, schema: str) -> None:
        """Check that a schema exists.

        Raises:
            SqlError: NO_SUCH_CATALOG_EXCEPTION or SCHEMA_NOT_FOUND.
        """
        self.require_catalog(catalog)
        names = {(s.schema or "").lower() for s in self.catalog.schemas(catalog)} | {INFORMATION_SCHEMA}
        if schema.lower() not in names:
            raise schema_not_found(f"{quote_identifier(catalog)}.{quote_identifier(schema)}")

    def require_table(self, parts: Sequence[str]) -> Table:
        """Return the table or view of that name.

        Raises:
            SqlError: TABLE_OR_VIEW_NOT_FOUND.
        """
        name = self.table_name(parts)
        table = self.catalog.get(name)
        if table is None:
            raise table_not_found(name.quoted)
        return table

    def temporary_view(self, parts: Sequence[str]) -> TemporaryView | None:
        """Return the session's temporary view of that name, if there is one."""
        return self.temporary_views.get(parts[0].lower()) if len(parts) == 1 else None

    def function(self, parts: Sequence[str]) -> Function | None:
        """Return the function of SQL of that name, or None; the session's own go first."""
        return self._function(tuple(parts), self.catalog_name, self.schema_name)

    def _function(self, parts: tuple[str, ...], catalog: str, schema: str) -> Function | None:
        own = self.temporary_functions.get(parts[0].lower()) if len(parts) == 1 else None
        if own is not None or len(parts) > 3:
            return own
        try:
            return self.catalog.function(TableName(*((catalog, schema)[: 3 - len(parts)] + parts)))
        except LocalWorkspaceError:
            return None  # no name that a function could have

    # Text for the engine

    def engine_sql(
        self,
        sql: str,
        *,
        functions: Lookup | None = None,
        stand_ins: Mapping[str, StandIn] = MappingProxyType({}),
    ) -> str:
        """Return the statement with names and context functions that the engine understands.

        Args:
            sql: As the client wrote it, or with a client's expressions in it.
            functions: Gives functions of SQL by their names; by default those that the session sees.
            stand_ins: Tables of this statement alone, by the one part of their names, in lower case.
        """
        return self._rewrite(sql, self._scope(functions), stand_ins=stand_ins)

    def schema_of(self, sql: str) -> StructType:
        """Return the columns of a query as the engine sees them; a query that cannot be planned is refused.

        Raises:
            SqlError: The engine refused it, or would answer wrongly.
        """
        return self._of_columns("schema", sql, lambda text: self.engine.frame(text, tag=self.tag).schema)

    def frame(self, sql: str) -> DataFrame:
        """Plan a query; what it gives is known, so whoever asks the frame for its columns does not ask the engine.

        Raises:
            SqlError: The engine refused it, or would answer wrongly.
        """
        planned: list[DataFrame] = []

        def ask(text: str) -> StructType:
            planned.append(self.engine.frame(text, tag=self.tag))
            return planned[0].schema

        schema = self._of_columns("schema", sql, ask)
        return planned[0] if planned else self.engine.frame(self.engine_sql(sql), schema=schema, tag=self.tag)

    def without_rows(self, sql: str) -> Result:
        """Return the result of a query that has no rows, whatever is in its tables, such as one with LIMIT 0."""

        def asked(text: str) -> pa.Schema:
            return self.engine.query(text, tag=self.tag).table().schema

        return Result(self._of_columns("no rows", sql, asked), iter(()))

    def _of_columns(self, kind: str, sql: str, ask: Callable[[str], T]) -> T:
        """Return what the engine says of a query, which depends on nothing but names and columns."""

        def worked_out(scope: _Scope) -> T:
            text = self._rewrite(sql, scope)
            if _TIME_TRAVEL.search(text):
                scope.premises.is_complete = (
                    False  # it has the columns of another day, which may move with the clock
                )
            # Before the engine looks: what changes in between makes this answer void, not the next one wrong.
            for name, _ in scope.premises.tables.values():
                scope.look("columns", name)
            return ask(text)

        scope = self._scope()
        return self._remembered((kind, sql, scope.catalog, scope.schema), scope, worked_out)

    def _scope(self, functions: Lookup | None = None) -> _Scope:
        groups = self.settings.get(GROUPS_SETTING)
        around = Surroundings(self.catalog, self.temporary_views, self.temporary_functions, groups)
        return _Scope(self.catalog_name, self.schema_name, around, functions=functions)

    def _remembered(self, asked: tuple[Any, ...], scope: _Scope, work_out: Callable[[_Scope], T]) -> T:
        """Return what was worked out before, if all that it rests on is as it was, or work it out."""
        memory = self.warehouse.memory
        kept = memory.get(asked)
        if kept is not None and scope.around.hold(kept[1]):
            answer: T
            answer, premises = kept
            for name, location in premises.tables.values():
                self.engine.table(name, location)
            scope.premises.add(premises)
            return answer
        inner = replace(scope, premises=Premises())
        try:
            answer = work_out(inner)
        except BaseException:
            scope.premises.is_complete = False
            raise
        scope.premises.add(inner.premises)
        if inner.premises.is_complete:
            length = len(asked[1]) + (len(answer) if isinstance(answer, str) else 0)
            memory.put(asked, answer, inner.premises, length)
        return answer

    def _rewrite(
        self,
        sql: str,
        scope: _Scope,
        *,
        stand_ins: Mapping[str, StandIn] = MappingProxyType({}),
    ) -> str:
        if stand_ins or scope.functions is not None:
            scope.premises.is_complete = False
            return self._rewrite_anew(sql, scope, stand_ins)
        raw = None if scope.raw is None else scope.raw.key
        asked = ("text", sql, scope.catalog, scope.schema, raw, scope.depth > 0)
        return self._remembered(asked, scope, lambda inner: self._rewrite_anew(sql, inner, {}))

    def _rewrite_anew(self, sql: str, scope: _Scope, stand_ins: Mapping[str, StandIn]) -> str:
        def columns(parts: tuple[str, ...]) -> Columns | None:
            own = stand_ins.get(parts[0].lower()) if len(parts) == 1 else None
            return self._columns(parts, scope) if own is None else own.columns

        def resolve(parts: tuple[str, ...]) -> Source | None:
            own = stand_ins.get(parts[0].lower()) if len(parts) == 1 else None
            return self._resolve(parts, scope, written) if own is None else own.source

        def files(kind: str, path: str) -> str:
            scope.premises.is_complete = False
            return readable_path(self.warehouse.layout, kind, path)

        written = sql
        refuse_other_forms(tokenize(sql), sql)
        if _RECURSIVE.search(sql):
            scope.premises.is_complete = False
            sql = without_recursion(sql, lambda text: self._rows_of(text, scope), self.kept)
        sql = self._inlined(sql, scope, columns)
        if _CURRENT.search(sql):
            sql = self._replace_context_functions(sql, scope)
        try:
            sql = for_engine(sql, columns, nested=scope.depth > 0)
        except SqlSyntaxError:
            pass  # the engine says what it does not understand
        except NotSupported as error:
            replace_references(
                sql, resolve, files=files
            )  # what nobody may read, or is not there, is told first
            raise not_supported(error.thing, f"{error.next_step}.") from error
        return replace_references(sql, resolve, files=files)

    def _rows_of(self, sql: str, scope: _Scope) -> pa.Table:
        return self.engine.query(self._rewrite(sql, scope), tag=self.tag).table()

    def kept(self, name: str, rows: pa.Table) -> str:
        """Keep rows for the engine under a name, and return a query that reads them."""
        if not rows.num_rows:
            kinds = [f"CAST(NULL AS {type_text(f.type)}) AS {quote_identifier(f.name)}" for f in rows.schema]
            return f"SELECT {', '.join(kinds)} WHERE false"
        self._kept_columns()[name] = [(f.name, spark_types.of_text(type_text(f.type))) for f in rows.schema]
        return f"SELECT * FROM {self.engine.keep_rows(name, rows)}"

    def _kept_columns(self) -> dict[str, Columns]:
        columns: dict[str, Columns] = self._local.__dict__.setdefault("columns", {})
        return columns

    def _inlined(self, sql: str, scope: _Scope, columns: TableColumns | None = None) -> str:
        """Return the text with the bodies of SQL functions in the places of their calls."""
        columns = columns or (lambda parts: self._columns(parts, scope))
        if MENTIONS_MEASURE.search(sql):
            sql = with_measures(sql, lambda parts: self._metric_view(parts, scope))
        if scope.functions is None and not scope.look("functions", None):
            return sql
        lookup = scope.functions or (lambda parts: self._function(parts, scope.catalog, scope.schema))
        return inline(sql, lookup, columns)

    def _metric_view(self, parts: tuple[str, ...], scope: _Scope) -> MetricView | None:
        try:
            name = TableName(*((scope.catalog, scope.schema)[: 3 - len(parts)]), *parts)
        except (LocalWorkspaceError, TypeError):
            return None
        table = scope.look("table", name)
        return (
            None if table is None or table.kind != "METRIC_VIEW" else read_metric_view(table.view_sql or "")
        )

    def _is_member(self, group: str, scope: _Scope) -> bool:
        said = scope.look("groups", None)
        return said is None or group.lower() in {name.strip().lower() for name in said.split(",")}

    def _replace_context_functions(self, sql: str, scope: _Scope) -> str:
        values = {"catalog": scope.catalog, "schema": scope.schema, "database": scope.schema}
        values["user"] = self.warehouse.user
        tokens = tokenize(sql)
        for i in range(len(tokens) - 3, -1, -1):
            word = tokens[i].upper
            if word in _MEMBER and tokens[i].kind == "word" and tokens[i + 1].text == "(":
                sql = self._replace_membership(sql, tokens, i, scope)
                continue
            if tokens[i + 1].text != "(" or tokens[i + 2].text != ")" or tokens[i].kind != "word":
                continue
            key = "user" if word == "SESSION_USER" else word.lower().removeprefix("current_")
            if (word.startswith("CURRENT_") or word == "SESSION_USER") and key in values:
                text = quote_string(values[key])
                if not _is_aliased(tokens, i):
                    text += f" AS `{word.lower()}()`"
                sql = sql[: tokens[i].start] + text + sql[tokens[i + 2].end :]
        return sql

    def _replace_membership(self, sql: str, tokens: tuple[Token, ...], i: int, scope: _Scope) -> str:
        """Return the text with ``is_account_group_member('group')`` as true or false."""
        if i + 3 >= len(tokens) or tokens[i + 2].kind != "string" or tokens[i + 3].text != ")":
            raise not_supported(
                f"{tokens[i].text}() of anything but a text", "Write the group's name in quotes."
            )
        text = "true" if self._is_member(tokens[i + 2].value, scope) else "false"
        if not _is_aliased(tokens, i, 4):
            text += f" AS `{tokens[i].text.lower()}({tokens[i + 2].value})`"
        return sql[: tokens[i].start] + text + sql[tokens[i + 3].end :]

    def _resolve(self, parts: tuple[str, ...], scope: _Scope, written: str) -> Source | None:
        view = scope.look("temporary view", parts[0].lower()) if len(parts) == 1 else None
        if view is not None:
            check_depth(scope.depth, view.name)
            return Source(f"({self._rewrite(view.sql, scope.within(view.catalog, view.schema))}\n)", True)
        full = ((scope.catalog, scope.schema)[: 3 - len(parts)]) + parts
        if full[1].lower() == INFORMATION_SCHEMA:
            scope.premises.is_complete = False
            return self._information_schema(full[0], full[2])
        try:
            name = TableName(*full)
        except LocalWorkspaceError:
            return None  # Not a name that a table could have: an alias, or a path.
        table = scope.look("table", name)
        if table is not None and table.kind == "METRIC_VIEW":
            refuse_without_measure(written)
        return None if table is None else self._source(table, name, scope)

    def _source(self, table: Table, name: TableName, scope: _Scope) -> Source:
        """Return what the engine reads for a table or view; the last part of the name is as the statement has it."""
        if table.location is None:
            check_depth(scope.depth, str(table.name))
            return Source(f"({self._view_sql(table, scope)}\n)", True)
        policies = () if scope.raw == name else scope.look("policies", name)
        if not policies:
            location = location_of(table)
            scope.premises.tables[(name.catalog, name.schema, name.table)] = (name, location)
            return Source(self.engine.table(name, location), False)
        check_depth(scope.depth, str(table.name))
        for policy in policies:
            if scope.look("functions", None) and self.catalog.function(policy.function) is None:
                text = f"Cannot resolve routine {policy.function.quoted}, by which {name.quoted} is filtered or masked."
                raise SqlError("UNRESOLVED_ROUTINE", text, "42883")
        query = shown(table, scope.look("columns", name), policies)
        inner = replace(scope.within(table.name.catalog, table.name.schema), raw=table.name, functions=None)
        return Source(f"({self._rewrite(query, inner)})", True)

    def columns(self, parts: tuple[str, ...]) -> Columns | None:
        """Return the columns of a table or view by its name as written here, or None if they are not known."""
        return self._columns(parts, self._scope())

    def _columns(self, parts: tuple[str, ...], scope: _Scope) -> Columns | None:  # noqa: PLR0911
        """Return the columns of a table or view with their types, as far as they are known without the engine."""
        if scope.depth > MAX_VIEW_DEPTH or len(parts) > 3:
            scope.premises.is_complete = False
            return None
        if len(parts) == 1 and parts[0] in self._kept_columns():
            scope.premises.is_complete = False
            return self._kept_columns()[parts[0]]
        view = scope.look("temporary view", parts[0].lower()) if len(parts) == 1 else None
        if view is not None:
            return self._query_columns(view.sql, scope.within(view.catalog, view.schema))
        full = ((scope.catalog, scope.schema)[: 3 - len(parts)]) + parts
        try:
            name = TableName(*full)
            table = scope.look("table", name)
            if table is None:
                return None
            if table.location is not None:
                return [(c.name, spark_types.of_text(c.data_type)) for c in scope.look("columns", name)]
        except LocalWorkspaceError:
            return None
        home, _, schema = table.properties.get(
            VIEW_NAMESPACE, f"{table.name.catalog}.{table.name.schema}"
        ).partition(".")
        columns = self._query_columns(query_of(table), scope.within(home, schema))
        names = table.properties.get(VIEW_COLUMN_NAMES)
        if names is None or columns is None:
            return columns
        given = [token.value for token in tokenize(names) if token.is_name]
        return [(n, kind) for n, (_, kind) in zip(given, columns, strict=False)]

    def _query_columns(self, sql: str, scope: _Scope) -> Columns | None:
        if scope.functions is not None:
            scope.premises.is_complete = False
            return self._query_columns_anew(sql, scope)
        asked = ("columns", sql, scope.catalog, scope.schema)
        return self._remembered(asked, scope, lambda inner: self._query_columns_anew(sql, inner))

    def _query_columns_anew(self, sql: str, scope: _Scope) -> Columns | None:
        try:
            tree = peek(self._inlined(sql, scope))
        except SqlSyntaxError:
            return None
        return Typing(lambda parts: self._columns(parts, scope)).columns_of(tree)

    def _information_schema(self, catalog: str, relation: str) -> Source | None:
        rows = build_relation(self.catalog, catalog, relation)
        if rows is None:
            return None
        name = f"information_schema_{relation.lower()}_{secrets.token_hex(4)}"
        return Source(f"({self.kept(name, rows)})", True)

    def _view_sql(self, table: Table, scope: _Scope) -> str:
        origin = table.properties.get(VIEW_NAMESPACE, f"{table.name.catalog}.{table.name.schema}")
        catalog, _, schema = origin.partition(".")
        query = self._rewrite(query_of(table), scope.within(catalog, schema))
        names = table.properties.get(VIEW_COLUMN_NAMES)
        if names is None:
            return query
        return f"SELECT * FROM ({query}\n) AS v({names})"


def query_of(table: Table) -> str:
    """Return the query that a view is read by."""
    text = table.view_sql or ""
    return read_metric_view(text).query() if table.kind == "METRIC_VIEW" else text


def _is_aliased(tokens: tuple[Token, ...], i: int, length: int = 3) -> bool:
    """Whether a context function stands where an alias would be wrong or is there already."""
    following = tokens[i + length] if i + length < len(tokens) else None
    before = tokens[i - 1].upper if i else ""
    if before not in ("SELECT", ","):
        return True
    depth = sum({"(": 1, ")": -1}.get(t.text, 0) for t in tokens[:i] if t.kind == "symbol")
    if depth:
        return True
    return following is not None and following.text not in (",", ";") and following.upper != "FROM"
