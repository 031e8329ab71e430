"""Declaring sinks: places outside of the pipeline that flows append to (documentation page "create_sink")."""

from __future__ import annotations

from collections.abc import Mapping

from local_workspace.dlt_runtime.declare.arguments import name_argument, properties_argument
from local_workspace.dlt_runtime.declare.registry import Output, SinkSettings, active_registry
from local_workspace.errors import NotSupported, PipelineCodeError

_STAND_IN = (
    "There is no broker on a laptop; let a Delta table stand in: take the format from "
    "spark.conf.get('sink_format', 'kafka'), run with --conf sink_format=delta, and give the option tableName or path then"
)
_BROKERS = {"kafka", "kinesis", "eventhubs", "pubsub"}


def create_sink(name: str, format: str, options: Mapping[str, str] | None = None) -> None:  # noqa: A002
    """Declare a sink, which `append_flow` feeds; only new rows reach it, and a full refresh does not empty it.

    Args:
        name: One level.
        format: `delta`.
        options: `path`, a folder of a volume, or `tableName`, a table of the workspace.

    Raises:
        NotSupported: The format is another one.
        PipelineCodeError: The options do not name one place.
    """
    registry = active_registry("dlt.create_sink")
    where = registry.caller()
    name = name_argument(name, "name", where)
    kind = name_argument(format, "format", where).lower()
    if kind != "delta":
        raise NotSupported(
            f"dlt.create_sink(format={format!r})",
            _STAND_IN if kind in _BROKERS else 'Use format="delta" with path or tableName',
            got=f"at {where}",
        )
    given = {k.lower(): v for k, v in properties_argument(options, "options", where).items()}
    unknown = sorted(given.keys() - {"path", "tablename"})
    if unknown:
        raise NotSupported(
            f"Option {unknown[0]} of dlt.create_sink", "Leave it out: a sink appends, with new columns added",
            got=f"{given[unknown[0]]!r} at {where}",
        )  # fmt: skip
    if len(given) != 1 or not all(given.values()):
        raise PipelineCodeError(
            "A Delta sink names one place",
            got=f"{dict(given)} at {where}",
            allowed="options path or tableName",
        )
    sink = SinkSettings(path=given.get("path"), table=given.get("tablename"))
    registry.add_output(Output(name=name, kind="SINK", location=where, sink=sink))
