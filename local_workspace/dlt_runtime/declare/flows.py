"""Declaring flows into a table that exists apart from them, and reading datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession

from local_workspace.dlt_runtime.declare.arguments import flag_argument, name_argument, properties_argument
from local_workspace.dlt_runtime.declare.registry import Flow, active_registry
from local_workspace.dlt_runtime.declare.rules import rules_of
from local_workspace.errors import PipelineCodeError

F = TypeVar("F", bound=Callable[..., Any])


def append_flow(
    *,
    target: str,
    name: str | None = None,
    once: bool = False,
    spark_conf: Mapping[str, str] | None = None,
    comment: str | None = None,
) -> Callable[[F], F]:
    """Feed a streaming table or a sink with the rows of the decorated function.

    Args:
        target: The table, declared by `create_streaming_table` or `@dlt.table`, or the sink.
        name: The flow's name; the function's if not given. The flow goes on from where it was under this name.
        once: Run a single time, until the next full refresh; the query may be a batch one.
        spark_conf: Has no effect here, and the update says so.
        comment: For readers of the code.
    """
    del comment
    registry = active_registry("@dlt.append_flow")
    where = registry.caller()

    def register(fn: F) -> F:
        if rules_of(fn):
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
                once=flag_argument(once, "once", where),
            )
        )
        return fn

    return register


def read(name: str) -> DataFrame:
    """Read all rows of a dataset.

    Args:
        name: Of one to three levels; `LIVE.` stands for the schema of the pipeline.
    """
    session = SparkSession.getActiveSession()
    assert session is not None  # noqa: S101  (the loader always activates one)
    return session.read.table(name)


def read_stream(name: str) -> DataFrame:
    """Read the new rows of a dataset.

    Args:
        name: Of one to three levels; `LIVE.` stands for the schema of the pipeline.
    """
    session = SparkSession.getActiveSession()
    assert session is not None  # noqa: S101
    return session.readStream.table(name)
