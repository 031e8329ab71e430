"""Declaring datasets: `@dlt.table`, `@dlt.view`, `@dp.materialized_view` and `create_streaming_table`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from pyspark.sql.types import StructType

from local_workspace.dlt_runtime.declare.arguments import (
    flag_argument,
    name_argument,
    properties_argument,
    strings_argument,
    text_argument,
)
from local_workspace.dlt_runtime.declare.registry import (
    DatasetKind,
    Expectation,
    ExpectationAction,
    Flow,
    Output,
    Registry,
    SourceLocation,
    active_registry,
)
from local_workspace.dlt_runtime.declare.rules import DATASET, bare, rules_of, with_mark
from local_workspace.errors import NotSupported, PipelineCodeError

F = TypeVar("F", bound=Callable[..., Any])

#: Arguments that Databricks documents and that are refused, with the way out.
_REFUSED = {
    "path": "Leave it out: the runtime puts each table into the workspace's warehouse folder",
    "row_filter": "Filter in a view of its own; row filters are governance of Databricks",
    "refresh_policy": "Leave it out: the runtime refreshes by new rows wherever that is surely right",
}
#: Properties that say how Delta keeps the columns: tables here keep each under its own name, whatever characters it has.
_OF_THE_FORMAT = (
    "delta.columnmapping.",
    "delta.minreaderversion",
    "delta.minwriterversion",
    "delta.feature.",
)


@overload
def table(query_function: F) -> F: ...
@overload
def table(
    *,
    name: str | None = None,
    comment: str | None = None,
    spark_conf: Mapping[str, str] | None = None,
    table_properties: Mapping[str, str] | None = None,
    path: str | None = None,
    partition_cols: Sequence[str] | None = None,
    cluster_by_auto: bool = False,
    cluster_by: Sequence[str] | None = None,
    schema: StructType | str | None = None,
    row_filter: str | None = None,
    private: bool | None = None,
    temporary: bool | None = None,
    refresh_policy: str | None = None,
) -> Callable[[F], F]: ...
def table(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a table: a streaming table if the query is a streaming one, else a materialized view.

    Args:
        query_function: The function that gives the query, where the decorator stands without parentheses.
        arguments: The keywords of the signature above:
            name: One to three levels; the function's name if not given.
            comment: What the catalog says of the table.
            spark_conf: Has no effect here, and the update says so.
            table_properties: Properties of the Delta table.
            path: Refused.
            partition_cols: Columns by which the files lie in folders.
            cluster_by_auto: Has no effect here.
            cluster_by: Columns that the catalog names for clustering.
            schema: The columns, as a StructType or DDL; the query has to give them.
            row_filter: Refused.
            private: The table is for this pipeline only and is in no catalog.
            temporary: An older name of `private`.
            refresh_policy: Refused.

    Raises:
        PipelineCodeError: An argument is unknown or has a value that is not allowed.
        NotSupported: An argument is refused.
    """
    return _dataset("TABLE", "@dlt.table", query_function, arguments)


@overload
def materialized_view(query_function: F) -> F: ...
@overload
def materialized_view(
    *,
    name: str | None = None,
    comment: str | None = None,
    spark_conf: Mapping[str, str] | None = None,
    table_properties: Mapping[str, str] | None = None,
    path: str | None = None,
    partition_cols: Sequence[str] | None = None,
    cluster_by_auto: bool = False,
    cluster_by: Sequence[str] | None = None,
    schema: StructType | str | None = None,
    row_filter: str | None = None,
    private: bool | None = None,
    refresh_policy: str | None = None,
) -> Callable[[F], F]: ...
def materialized_view(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a materialized view; its query must be a batch one.

    Args:
        query_function: The function that gives the query, where the decorator stands without parentheses.
        arguments: The keywords of the signature above; each means what it does for :func:`table`.

    Raises:
        PipelineCodeError: An argument is unknown or has a value that is not allowed.
        NotSupported: An argument is refused.
    """
    return _dataset("MATERIALIZED_VIEW", "@dp.materialized_view", query_function, arguments)


@overload
def view(query_function: F) -> F: ...
@overload
def view(
    *, name: str | None = None, comment: str | None = None, spark_conf: Mapping[str, str] | None = None
) -> Callable[[F], F]: ...
def view(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a view of the pipeline: it exists for the other queries of the pipeline only.

    Args:
        query_function: The function that gives the query, where the decorator stands without parentheses.
        arguments: The keywords of the signature above:
            name: One level; the function's name if not given.
            comment: What the event log says of the view.
            spark_conf: Has no effect here, and the update says so.

    Raises:
        PipelineCodeError: An argument is unknown or has a value that is not allowed.
    """
    return _dataset("VIEW", "@dlt.view", query_function, arguments)


#: What each kind of dataset takes; the overloads above say the same to an editor.
KEYWORDS: dict[DatasetKind, tuple[str, ...]] = {
    "VIEW": ("name", "comment", "spark_conf"),
    "MATERIALIZED_VIEW": (
        "name", "comment", "spark_conf", "table_properties", "path", "partition_cols", "cluster_by_auto", "cluster_by",
        "schema", "row_filter", "private", "refresh_policy",
    ),
    "TABLE": (
        "name", "comment", "spark_conf", "table_properties", "path", "partition_cols", "cluster_by_auto", "cluster_by",
        "schema", "row_filter", "private", "temporary", "refresh_policy",
    ),
}  # fmt: skip


def _dataset(kind: DatasetKind, decorator: str, function: Any, arguments: dict[str, Any]) -> Any:
    registry = active_registry(decorator)
    where = registry.caller()
    unknown_arguments(decorator, arguments, KEYWORDS[kind], where)
    options = {key: arguments.get(key) for key in KEYWORDS["TABLE"]}
    refuse_arguments(decorator, options, where)

    def register(fn: Any) -> Any:
        if not callable(fn):
            raise PipelineCodeError(f"{decorator} decorates a function", got=f"{fn!r} at {where}")
        if getattr(fn, DATASET, False):
            raise PipelineCodeError(
                f"Function {fn.__name__} carries two dataset decorators", got=f"at {where}", allowed="one"
            )
        rules = tuple(reversed(rules_of(fn)))
        output = described(kind, {**options, "name": options["name"] or fn.__name__}, rules, registry, where)
        registry.add_output(output)
        registry.add_flow(Flow(output.name, output.name, bare(fn), where, spark_conf=output.spark_conf))
        return with_mark(fn, DATASET, output)

    return register if function is None else register(function)


def described(
    kind: DatasetKind,
    options: Mapping[str, Any],
    rules: tuple[Expectation, ...],
    registry: Registry,
    where: SourceLocation,
) -> Output:
    """Check the arguments of a dataset, however it is declared.

    Raises:
        PipelineCodeError: One has a value that is not allowed, or two expectations have the same name.
    """
    name = name_argument(options["name"], "name", where)
    if flag_argument(options.get("cluster_by_auto"), "cluster_by_auto", where):
        registry.note(
            f"{where}: cluster_by_auto has no effect here: tables are small enough to be read as they lie"
        )
    output = Output(
        name=name,
        kind=kind,
        location=where,
        comment=text_argument(options.get("comment"), "comment", where),
        table_properties=table_properties(options.get("table_properties"), registry, where),
        spark_conf=properties_argument(options.get("spark_conf"), "spark_conf", where),
        partition_cols=strings_argument(options.get("partition_cols"), "partition_cols", where),
        cluster_by=strings_argument(options.get("cluster_by"), "cluster_by", where),
        schema=options.get("schema"),
        temporary=flag_argument(options.get("temporary"), "temporary", where)
        or flag_argument(options.get("private"), "private", where),
        expectations=rules,
    )
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise PipelineCodeError(
                f"Dataset {name} has two expectations named {rule.name!r}", got=f"at {where}"
            )
        seen.add(rule.name)
    return output


def table_properties(given: Any, registry: Registry, where: SourceLocation) -> Mapping[str, str]:
    """Check the properties of a table, and leave out, with a note, those that its format has no need of.

    Raises:
        PipelineCodeError: They are no dict with texts as keys.
    """
    found = properties_argument(given, "table_properties", where)
    for key in found:
        if key.lower().startswith(_OF_THE_FORMAT):
            registry.note(
                f"{where}: table property {key} has no effect here: columns keep their names, whatever characters they have"
            )
    return {k: v for k, v in found.items() if not k.lower().startswith(_OF_THE_FORMAT)}


def unknown_arguments(
    function: str, arguments: Mapping[str, Any], allowed: Sequence[str], where: SourceLocation
) -> None:
    """Refuse keywords that a function does not have.

    Raises:
        PipelineCodeError: There are some; those that it has are named, and the one that may have been meant.
    """
    wrong = [key for key in arguments if key not in allowed]
    if wrong:
        raise PipelineCodeError(
            f"{function} has no argument {', '.join(map(repr, wrong))}",
            got=f"call at {where}",
            allowed=", ".join(allowed),
            consequence="Nothing was declared",
            next_step=suggestion(wrong[0], allowed),
        )


def suggestion(wrong: str, allowed: Sequence[str]) -> str | None:
    """Ask whether a name close to a wrong one was meant."""
    import difflib  # noqa: PLC0415  (only for a mistake)

    close = difflib.get_close_matches(wrong, allowed, n=1)
    return f"Did you mean {close[0]}?" if close else None


def refuse_arguments(function: str, options: Mapping[str, Any], where: SourceLocation) -> None:
    """Refuse what Databricks takes and the runtime does not.

    Raises:
        NotSupported: One is there.
    """
    for argument, way_out in _REFUSED.items():
        if options.get(argument) is not None:
            raise NotSupported(
                f"{function}({argument}=...)", way_out, got=f"{options[argument]!r} at {where}"
            )


def create_streaming_table(  # noqa: PLR0917  (Databricks' signature)
    name: str,
    comment: str | None = None,
    spark_conf: Mapping[str, str] | None = None,
    table_properties: Mapping[str, str] | None = None,
    partition_cols: Sequence[str] | None = None,
    path: str | None = None,
    schema: StructType | str | None = None,
    expect_all: Mapping[str, str] | None = None,
    expect_all_or_drop: Mapping[str, str] | None = None,
    expect_all_or_fail: Mapping[str, str] | None = None,
    cluster_by: Sequence[str] | None = None,
    row_filter: str | None = None,
    cluster_by_auto: bool = False,
    private: bool | None = None,
) -> None:
    """Declare a streaming table that `append_flow` or a change feed will feed.

    Args:
        name: One to three levels.
        comment: What the catalog says of the table.
        spark_conf: Has no effect here, and the update says so.
        table_properties: Properties of the Delta table.
        path: Refused.
        partition_cols: Columns by which the files lie in folders.
        cluster_by_auto: Has no effect here.
        cluster_by: Columns that the catalog names for clustering.
        schema: The columns, as a StructType or DDL.
        expect_all: Rules by name; rows that break one are counted and kept.
        expect_all_or_drop: Rules by name; rows that break one are counted and dropped.
        expect_all_or_fail: Rules by name; a row that breaks one fails the flow.
        row_filter: Refused.
        private: The table is for this pipeline only and is in no catalog.

    Raises:
        PipelineCodeError: An argument has a value that is not allowed.
        NotSupported: An argument is refused.
    """
    registry = active_registry("dlt.create_streaming_table")
    where = registry.caller()
    refuse_arguments("dlt.create_streaming_table", {"path": path, "row_filter": row_filter}, where)
    rules: list[Expectation] = []
    actions: tuple[tuple[str, Mapping[str, str] | None, ExpectationAction], ...] = (
        ("expect_all", expect_all, "warn"),
        ("expect_all_or_drop", expect_all_or_drop, "drop"),
        ("expect_all_or_fail", expect_all_or_fail, "fail"),
    )
    for argument, group, action in actions:
        rules.extend(
            Expectation(n, c, action) for n, c in properties_argument(group, argument, where).items()
        )
    options = {
        "name": name, "comment": comment, "spark_conf": spark_conf, "table_properties": table_properties,
        "partition_cols": partition_cols, "cluster_by_auto": cluster_by_auto, "cluster_by": cluster_by, "schema": schema,
        "private": private,
    }  # fmt: skip
    registry.add_output(described("STREAMING_TABLE", options, tuple(rules), registry, where))
