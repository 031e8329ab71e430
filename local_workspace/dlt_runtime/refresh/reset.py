"""Full refresh: a table is emptied by one commit, and its flows begin anew."""

from __future__ import annotations

from collections.abc import Sequence

from local_workspace.crash_points import crash_point
from local_workspace.delta import batches, log
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.plan.graph import Dataset, Graph
from local_workspace.dlt_runtime.record import recovery
from local_workspace.dlt_runtime.record.state import Batch
from local_workspace.dlt_runtime.refresh.streaming import reset_flow
from local_workspace.errors import InputError


def find(graph: Graph, name: str) -> Dataset:
    """Find a dataset by a name as a user writes it.

    Raises:
        InputError: There is none.
    """
    key = graph.names.key(name)
    if key not in graph.datasets:
        raise InputError(
            f"{name} is no dataset of the pipeline",
            allowed=", ".join(d.shown for d in graph.datasets.values()),
            consequence="Nothing was refreshed",
        )
    return graph.datasets[key]


def selection(graph: Graph, full_refresh: bool | Sequence[str]) -> list[Dataset]:
    """List the tables that a full refresh empties.

    Raises:
        InputError: A name is no dataset.
    """
    if full_refresh is False:
        return []
    chosen = (
        list(graph.datasets.values())
        if full_refresh is True
        else [find(graph, name) for name in full_refresh]
    )
    return [dataset for dataset in chosen if dataset.kind != "VIEW"]


def reset_dataset(context: UpdateContext, dataset: Dataset) -> None:
    """Empty a table and forget what its flows have done.

    Readers see an empty table until the refresh has filled it again, as on Databricks; its history stays. A
    table with the property `pipelines.reset.allowed` set to false is left as it is.
    """
    properties = {k.lower(): v.lower() for k, v in dataset.output.table_properties.items()}
    if properties.get("pipelines.reset.allowed") == "false":
        context.warnings.append(
            f"{dataset.shown} was not reset: its property pipelines.reset.allowed is false"
        )
        return
    location = context.location(dataset)
    flows = [context.flow_id(dataset, planned) for planned in dataset.flows]
    flow_id = reset_flow(context, dataset)
    if dataset.kind == "SINK":
        # What a sink has received is not the pipeline's any more: its flows begin anew, it is not emptied.
        for flow in flows:
            _catch_up(context, dataset, flow)
    if log.open_table(location) is None or dataset.kind == "SINK":
        # No table, no transaction: forgetting is all there is to do.
        batch = Batch(
            flow_id,
            context.state.flow(flow_id).batch,
            context.events.update_id,
            dataset.shown,
            str(location),
            "reset",
        )
        context.state.finish(batch, resets=flows)
        return
    # A table can be ahead of a bookkeeping that was lost; numbers that were used are not used again.
    for flow in [*flows, flow_id]:
        _catch_up(context, dataset, flow)
    number = context.state.flow(flow_id).batch + 1
    with context.writing(dataset):
        _empty(context, dataset, flow_id, number, flows)


def _empty(context: UpdateContext, dataset: Dataset, flow_id: str, number: int, flows: list[str]) -> None:
    location = context.location(dataset)
    table = log.open_table(location)
    assert table is not None  # noqa: S101
    batch = Batch(
        flow_id,
        number,
        context.events.update_id,
        dataset.shown,
        str(location),
        "reset",
        facts={"resets": flows, "version": table.version() + 1},
        events=[
            context.events.make(
                "flow_progress",
                f"Table {dataset.shown} has been reset.",
                {"status": "STARTING"},
                dataset=dataset.shown,
            )
        ],
    )
    context.state.plan(batch, {})
    context.state.prepare(batch, {})
    crash_point("reset_planned")
    target = batches.Target(
        dataset.shown, location, table.schema(), partition_by=tuple(table.metadata().partition_columns)
    )
    try:
        batches.commit_batch(
            target,
            [],
            overwrite=True,
            flow=flow_id,
            batch=number,
            metadata={"update_id": batch.update_id, "run_id": context.run_id, "operation": "full refresh"},
        )
    except BaseException:
        recovery.settle(context.state, batch)
        raise
    crash_point("reset_committed")
    recovery.finish(context.state, batch)
    crash_point("reset_recorded")


def _catch_up(context: UpdateContext, dataset: Dataset, flow_id: str) -> None:
    done = log.committed_batch(context.location(dataset), flow_id) or 0
    known = context.state.flow(flow_id)
    if done > known.batch:
        context.state.finish(
            Batch(
                flow_id,
                done,
                context.events.update_id,
                dataset.shown,
                "",
                "reset",
                known.offsets,
                known.facts,
            )
        )
