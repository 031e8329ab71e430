"""Pipelines: combinations of settings that the platform refuses, or that would not run as intended."""

from __future__ import annotations

from collections.abc import Iterator

from orders.bundle_check.document import Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject


def check_pipelines(subject: Subject) -> Iterator[Finding]:
    """Check compute, mode and edition of every pipeline."""
    for path, pipeline in subject.resources("pipelines"):
        serverless = pipeline.find("serverless")
        is_serverless = serverless is not None and serverless.value is True
        for key, instead in (
            ("clusters", "the platform chooses the compute"),
            ("edition", "all features are included"),
        ):
            node = pipeline.find(key)
            if is_serverless and node is not None:
                yield finding(
                    node,
                    (*path, key),
                    f"a serverless pipeline takes no {key}: {instead}",
                    allowed=f"serverless: true, or {key}",
                    remedy="Remove one. docs/operations/compute.md shows the pipeline on classic clusters.",
                )
        continuous = pipeline.find("continuous")
        if continuous is not None and continuous.value is True:
            yield finding(
                continuous,
                (*path, "continuous"),
                "a continuous update never ends, so the job's dbt task would never start",
                allowed="false",
                remedy="Keep it triggered; the job's file-arrival trigger starts it.",
            )
        for index, cluster in enumerate(
            (pipeline.find("clusters") or Node([], pipeline.position)).elements()
        ):
            low, high = (cluster.find("autoscale", key) for key in ("min_workers", "max_workers"))
            if low is not None and high is not None and low.value > high.value:
                yield finding(
                    low,
                    (*path, "clusters", index, "autoscale", "min_workers"),
                    f"is {low.value}, more than max_workers {high.value}",
                    allowed=f"at most {high.value}",
                    remedy="Swap the two numbers.",
                )
            if cluster.find("num_workers") is not None and cluster.find("autoscale") is not None:
                yield finding(
                    cluster,
                    (*path, "clusters", index),
                    "has num_workers and autoscale",
                    allowed="one of the two",
                    remedy="Keep autoscale.",
                )
        log = pipeline.find("event_log")
        schemas = {node.plain().get("name") for _, node in subject.resources("schemas")}
        for key, where in (("schema", pipeline), ("schema", log)):
            node = None if where is None else where.find(key)
            if node is not None and not str(node.value).startswith("${") and node.value not in schemas:
                yield finding(
                    node,
                    (*path, *(("event_log",) if where is log else ()), key),
                    f"the bundle defines no schema {node.value!r}",
                    allowed=", ".join(sorted(filter(None, schemas))),
                    remedy="Define the schema, or use one that is defined.",
                )
