"""The functions that `import dlt` and `from pyspark import pipelines as dp` give to pipeline code.

Written from Databricks' public documentation (page "Lakeflow Spark Declarative Pipelines Python language
reference" and the pages it links to) and from Apache Spark's `pyspark.pipelines`. A function only checks and
registers; what it registers is run by `update.py`. `SERVED` and `REFUSED` list every name: a documented name
that is not served raises `NotSupported`, never passes in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from local_workspace.dlt_runtime.declare.arguments import name_argument, properties_argument, strings_argument
from local_workspace.dlt_runtime.declare.change_feeds import apply_changes, create_auto_cdc_flow
from local_workspace.dlt_runtime.declare.registry import (
    DatasetKind,
    Expectation,
    ExpectationAction,
    Flow,
    Output,
    SourceLocation,
    active_registry,
)
from local_workspace.errors import NotSupported, PipelineCodeError

F = TypeVar("F", bound=Callable[..., Any])

_EXPECTATIONS = "_dlt_expectations"
_DATASET = "_dlt_dataset"


def _unknown(
    arguments: Mapping[str, Any], function: str, allowed: Sequence[str], where: SourceLocation
) -> None:
    if arguments:
        raise PipelineCodeError(
            f"{function} has no argument {', '.join(map(repr, arguments))}",
            got=f"call at {where}",
            allowed=", ".join(allowed),
        )


_TABLE_ARGUMENTS = (
    "name",
    "comment",
    "spark_conf",
    "table_properties",
    "path",
    "partition_cols",
    "cluster_by",
    "cluster_by_auto",
    "schema",
    "temporary",
    "private",
    "row_filter",
    "refresh_policy",
)


def _dataset(kind: DatasetKind, decorator: str, function: Any, arguments: dict[str, Any]) -> Any:
    registry = active_registry(decorator)
    where = registry.caller()
    given = dict(arguments)
    options = {key: given.pop(key, None) for key in _TABLE_ARGUMENTS}
    _unknown(given, decorator, _TABLE_ARGUMENTS, where)
    refused = {
        "path": "Leave it out: the runtime puts each table into the workspace's warehouse folder",
        "row_filter": "Filter in a view of its own; row filters are governance of Databricks",
        "refresh_policy": "Leave it out: the runtime refreshes by new rows wherever that is surely right",
    }
    for argument, way_out in refused.items():
        if options[argument] is not None:
            raise NotSupported(
                f"{decorator}({argument}=...)", way_out, got=f"{options[argument]!r} at {where}"
            )

    def register(fn: Any) -> Any:
        if not callable(fn):
            raise PipelineCodeError(f"{decorator} decorates a function", got=f"{fn!r} at {where}")
        if getattr(fn, _DATASET, False):
            raise PipelineCodeError(
                f"Function {fn.__name__} carries two dataset decorators", got=f"at {where}", allowed="one"
            )
        name = name_argument(options["name"] if options["name"] is not None else fn.__name__, "name", where)
        output = Output(
            name=name,
            kind=kind,
            location=where,
            comment=options["comment"],
            table_properties=properties_argument(options["table_properties"], "table_properties", where),
            spark_conf=properties_argument(options["spark_conf"], "spark_conf", where),
            partition_cols=strings_argument(options["partition_cols"], "partition_cols", where),
            cluster_by=strings_argument(options["cluster_by"], "cluster_by", where),
            schema=options["schema"],
            temporary=bool(options["temporary"] or options["private"]),
            expectations=tuple(reversed(getattr(fn, _EXPECTATIONS, ()))),
        )
        _check_expectations(output)
        registry.add_output(output)
        registry.add_flow(Flow(name, name, fn, where, spark_conf=output.spark_conf))
        fn.__dict__[_DATASET] = output
        return fn

    return register if function is None else register(function)


def _check_expectations(output: Output) -> None:
    seen: set[str] = set()
    for rule in output.expectations:
        if rule.name in seen:
            raise PipelineCodeError(
                f"Dataset {output.name} has two expectations named {rule.name!r}", got=f"at {output.location}"
            )
        seen.add(rule.name)


def table(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a table: a streaming table if the query is a streaming one, else a materialized view."""
    return _dataset("TABLE", "@dlt.table", query_function, arguments)


def materialized_view(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a materialized view; its query must be a batch one."""
    return _dataset("MATERIALIZED_VIEW", "@dp.materialized_view", query_function, arguments)


def view(query_function: Any = None, **arguments: Any) -> Any:
    """Declare a view of the pipeline: it exists for the other queries of the pipeline only."""
    allowed = {"name", "comment", "spark_conf"}
    _unknown(
        {k: v for k, v in arguments.items() if k not in allowed},
        "@dlt.view",
        sorted(allowed),
        _here("@dlt.view"),
    )
    return _dataset("VIEW", "@dlt.view", query_function, arguments)


temporary_view = view


def _here(what: str) -> SourceLocation:
    return active_registry(what).caller()


def _expect(rules: Mapping[str, str], action: ExpectationAction, decorator: str) -> Callable[[F], F]:
    where = _here(decorator)
    if not isinstance(rules, Mapping) or not rules:
        raise PipelineCodeError(f"{decorator} takes a dict {{name: condition}}", got=f"{rules!r} at {where}")
    for name, condition in rules.items():
        name_argument(name, f"{decorator}: the name of an expectation", where)
        name_argument(condition, f"{decorator}: the condition of expectation {name!r}", where)

    def attach(fn: F) -> F:
        if getattr(fn, _DATASET, None):
            raise PipelineCodeError(
                f"{decorator} stands above the dataset decorator of {fn.__name__}",
                got=f"at {where}",
                consequence="The rule would not be checked",
                next_step="Put it below @dlt.table",
            )
        # Decorators apply from the bottom up: the list is turned round when the dataset is registered.
        kept = list(getattr(fn, _EXPECTATIONS, ()))
        kept.extend(Expectation(n, c, action) for n, c in reversed(list(rules.items())))
        fn.__dict__[_EXPECTATIONS] = kept
        return fn

    return attach


def expect(name: str, condition: str) -> Callable[[F], F]:
    """Count the rows that break the rule and keep them."""
    return _expect({name: condition}, "warn", "@dlt.expect")


def expect_or_drop(name: str, condition: str) -> Callable[[F], F]:
    """Count and drop the rows that break the rule."""
    return _expect({name: condition}, "drop", "@dlt.expect_or_drop")


def expect_or_fail(name: str, condition: str) -> Callable[[F], F]:
    """Fail the flow, and commit nothing of it, if a row breaks the rule."""
    return _expect({name: condition}, "fail", "@dlt.expect_or_fail")


def expect_all(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect` for each rule of the dict."""
    return _expect(expectations, "warn", "@dlt.expect_all")


def expect_all_or_drop(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect_or_drop` for each rule of the dict."""
    return _expect(expectations, "drop", "@dlt.expect_all_or_drop")


def expect_all_or_fail(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect_or_fail` for each rule of the dict."""
    return _expect(expectations, "fail", "@dlt.expect_all_or_fail")


def read(name: str) -> Any:
    """Read all rows of a dataset."""
    session = SparkSession.getActiveSession()
    assert session is not None  # noqa: S101  (the loader always activates one)
    return session.read.table(name)


def read_stream(name: str) -> Any:
    """Read the new rows of a dataset."""
    session = SparkSession.getActiveSession()
    assert session is not None  # noqa: S101
    return session.readStream.table(name)


def create_streaming_table(  # noqa: PLR0917  (Databricks' signature)
    name: str,
    comment: str | None = None,
    spark_conf: Mapping[str, str] | None = None,
    table_properties: Mapping[str, str] | None = None,
    path: str | None = None,
    partition_cols: Sequence[str] | None = None,
    cluster_by: Sequence[str] | None = None,
    schema: Any = None,
    expect_all: Mapping[str, str] | None = None,
    expect_all_or_drop: Mapping[str, str] | None = None,
    expect_all_or_fail: Mapping[str, str] | None = None,
    row_filter: str | None = None,
) -> None:
    """Declare a streaming table that `append_flow` or `apply_changes` will feed."""
    registry = active_registry("dlt.create_streaming_table")
    where = registry.caller()
    if path is not None:
        raise NotSupported("dlt.create_streaming_table(path=...)", "Leave it out", got=f"{path!r} at {where}")
    if row_filter is not None:
        raise NotSupported(
            "dlt.create_streaming_table(row_filter=...)", "Filter in a view", got=f"at {where}"
        )
    rules: list[Expectation] = []
    actions: tuple[tuple[Mapping[str, str] | None, ExpectationAction], ...] = (
        (expect_all, "warn"),
        (expect_all_or_drop, "drop"),
        (expect_all_or_fail, "fail"),
    )
    for group, action in actions:
        rules.extend(Expectation(n, c, action) for n, c in (group or {}).items())
    output = Output(
        name=name_argument(name, "name", where),
        kind="STREAMING_TABLE",
        location=where,
        comment=comment,
        table_properties=properties_argument(table_properties, "table_properties", where),
        spark_conf=properties_argument(spark_conf, "spark_conf", where),
        partition_cols=strings_argument(partition_cols, "partition_cols", where),
        cluster_by=strings_argument(cluster_by, "cluster_by", where),
        schema=schema,
        expectations=tuple(rules),
    )
    _check_expectations(output)
    registry.add_output(output)


create_table, create_view = table, view
create_target_table = create_streaming_live_table = create_streaming_table


def append_flow(
    *,
    target: str,
    name: str | None = None,
    once: bool = False,
    spark_conf: Mapping[str, str] | None = None,
    comment: str | None = None,
) -> Callable[[F], F]:
    """Feed a streaming table with the rows of the decorated function."""
    registry = active_registry("@dlt.append_flow")
    where = registry.caller()

    def register(fn: F) -> F:
        if getattr(fn, _EXPECTATIONS, ()):
            raise PipelineCodeError(
                f"Flow {fn.__name__} carries expectations",
                got=f"at {where}",
                next_step="Put them on its table: dlt.create_streaming_table(expect_all=...)",
            )
        registry.add_flow(
            Flow(
                name_argument(name if name is not None else fn.__name__, "name", where),
                name_argument(target, "target", where),
                fn,
                where,
                spark_conf=properties_argument(spark_conf, "spark_conf", where),
                once=once,
            )
        )
        return fn

    return register


def _refuse(name: str, way_out: str) -> Callable[..., Any]:
    def refused(*_args: Any, **_kwargs: Any) -> Any:
        raise NotSupported(f"dlt.{name}", way_out, got=f"call at {_here('dlt.' + name)}")

    refused.__name__ = name
    return refused


#: Name -> what the runtime does for it. The table in the documentation is generated from this.
SERVED: dict[str, str] = {
    "table": "streaming table (streaming query) or materialized view (batch query)",
    "view": "view inside the pipeline",
    "temporary_view": "the same, by its name in pyspark.pipelines",
    "materialized_view": "materialized view",
    "create_streaming_table": "streaming table without a query of its own",
    "create_table": "an older name of table",
    "create_view": "an older name of view",
    "create_target_table": "an older name of create_streaming_table",
    "create_streaming_live_table": "an older name of create_streaming_table",
    "append_flow": "one of several flows into a streaming table; once=True runs a single time",
    "apply_changes": "AUTO CDC, SCD type 1 and 2, with deletes and late changes",
    "create_auto_cdc_flow": "the same, by its newer name",
    "expect": "count and keep",
    "expect_or_drop": "count and drop",
    "expect_or_fail": "fail the flow before anything of it is committed",
    "expect_all": "several rules: count and keep",
    "expect_all_or_drop": "several rules: count and drop",
    "expect_all_or_fail": "several rules: fail the flow",
    "read": "all rows of a dataset, of the pipeline or of the workspace",
    "read_stream": "the new rows of a dataset",
}

#: Documented name -> the way out. Calling one of them raises NotSupported.
REFUSED: dict[str, str] = {
    "create_sink": "Write to other systems from a task after the pipeline (this project exports with dbt)",
    "foreach_batch_sink": "Write to other systems from a task after the pipeline",
    "apply_changes_from_snapshot": "Use dlt.apply_changes on a change feed, or a dbt snapshot",
    "create_auto_cdc_from_snapshot_flow": "Use dlt.apply_changes on a change feed, or a dbt snapshot",
    "on_event_hook": "Read the event log table after the update",
    "incremental_table": "Use @dlt.table with a streaming query",
    "replace_where_flow": "Use a materialized view",
}


def namespace() -> dict[str, Callable[..., Any]]:
    """Give every name that the `dlt` module has, served or refused."""
    own = globals() | {"apply_changes": apply_changes, "create_auto_cdc_flow": create_auto_cdc_flow}
    served = {name: own[name] for name in SERVED}
    return served | {name: _refuse(name, way_out) for name, way_out in REFUSED.items()}
