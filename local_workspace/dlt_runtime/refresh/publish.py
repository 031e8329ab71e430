"""What others see of a dataset: its entry in the catalog and its definition in the event log."""

from __future__ import annotations

from local_workspace.crash_points import crash_point
from local_workspace.delta import log
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.declare.declared_keys import differing_keys, record_keys
from local_workspace.dlt_runtime.plan.graph import Dataset, Graph, PlannedFlow
from local_workspace.dlt_runtime.record.events import Event, EventFactory
from local_workspace.dlt_runtime.refresh.staging import declared_schema


def publish(context: UpdateContext, dataset: Dataset) -> None:
    """Put a table into the catalog, if something about it is new there."""
    if dataset.name is None or dataset.output.temporary:
        return
    if dataset.output.sink is not None:
        _publish_sink(context, dataset)
        return
    location = context.location(dataset)
    table = log.open_table(location)
    if table is None:
        return
    output = dataset.output
    properties = dict(output.table_properties)
    properties["pipelines.pipelineId"] = context.state.pipeline_id
    if output.cluster_by:
        properties["clusteringColumns"] = ",".join(output.cluster_by)
    comments = {
        str(f.name).lower(): str(f.metadata["comment"])
        for f in table.schema().fields
        if f.metadata.get("comment")
    }
    declared = declared_schema(output)
    keys = () if declared is None else declared.keys
    known = context.catalog.get(dataset.name)
    if (
        known is not None
        and not differing_keys(context.catalog, dataset.name, keys)
        and known.kind == dataset.kind
        and known.location == location
        and (output.comment is None or known.comment == output.comment)
        and all(known.properties.get(k) == v for k, v in properties.items())
        and all(known.column_comments.get(k) == v for k, v in comments.items())
    ):
        return
    context.catalog.create_schema(dataset.name.catalog, dataset.name.schema, if_not_exists=True)
    context.catalog.put_table(
        dataset.name,
        kind=dataset.kind,
        location=location,
        comment=output.comment,
        properties=properties,
        column_comments=comments,
    )
    record_keys(context.catalog, dataset.name, keys)
    crash_point("catalog_written")


def _publish_sink(context: UpdateContext, dataset: Dataset) -> None:
    """Put the table of a sink into the catalog if nobody has; it belongs to the workspace, not to the pipeline."""
    assert dataset.name is not None and dataset.output.sink is not None  # noqa: S101, PT018
    location = context.location(dataset)
    if dataset.output.sink.table is None or log.open_table(location) is None:
        return
    if context.catalog.get(dataset.name) is None:
        context.catalog.create_schema(dataset.name.catalog, dataset.name.schema, if_not_exists=True)
        context.catalog.put_table(dataset.name, kind="TABLE", location=location)


def dataset_definition(make: EventFactory, dataset: Dataset) -> Event:
    """Describe a dataset."""
    details = {
        "dataset_type": dataset.kind,
        "num_flows": len(dataset.flows),
        "expectations": [
            {"name": r.name, "expression": r.condition, "action": r.action.upper()}
            for r in dataset.output.expectations
        ],
        "source_code_location": str(dataset.output.location),
        "comment": dataset.output.comment,
    }
    return make.make(
        "dataset_definition",
        f"Dataset '{dataset.shown}' defined as {dataset.kind}.",
        details,
        dataset=dataset.shown,
    )


def flow_definition(make: EventFactory, graph: Graph, dataset: Dataset, planned: PlannedFlow) -> Event:
    """Describe a flow: what it reads and what it feeds."""
    inputs = []
    for read in planned.reads:
        key = graph.names.key(read.name)
        shown = graph.datasets[key].shown if key in graph.datasets else str(graph.names.table(read.name))
        if shown not in inputs:
            inputs.append(shown)
    details = {
        "output_dataset": dataset.shown,
        "input_datasets": inputs,
        "flow_type": "CHANGE" if planned.flow.merges else "INCREMENTAL" if planned.streaming else "COMPLETE",
        "spark_conf": dict(planned.flow.spark_conf),
    }
    return make.make(
        "flow_definition",
        f"Flow '{planned.flow.name}' defined as {details['flow_type']}.",
        details,
        dataset=dataset.shown,
        flow=planned.flow.name,
    )
