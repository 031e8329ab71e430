"""Jobs: the graph of their tasks, what each task runs on, and what a dbt task may run."""

from __future__ import annotations

import graphlib
import re
import shlex
from collections import Counter
from collections.abc import Iterator

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_COMPUTE = ("job_cluster_key", "environment_key", "existing_cluster_id", "new_cluster")
_PARAMETER = re.compile(r"\{\{\s*job\.parameters\.(\w+)\s*\}\}")
_NEEDS_COMPUTE = ("dbt_task", "python_wheel_task", "spark_python_task")


def check_jobs(subject: Subject) -> Iterator[Finding]:
    """Check each job's task graph, compute and triggers."""
    for path, job in subject.resources("jobs"):
        yield from _graph(path, job)
        yield from _triggers(path, job)
        yield from _parameters(path, job)
        for name in ("job_clusters", "environments"):
            key = {"job_clusters": "job_cluster_key", "environments": "environment_key"}[name]
            yield from _twice(job, (*path, name), name, key)
    for path, task, job in subject.tasks():
        yield from _compute(path, task, job)
        yield from _dbt(path, task)
        yield from _bounds(path, task)


def _elements(node: Node, key: str) -> list[Node]:
    found = node.find(key)
    return [] if found is None else found.elements()


def _text(node: Node, *keys: str) -> str | None:
    found = node.find(*keys)
    return found.value if found is not None and isinstance(found.value, str) else None


def _twice(job: Node, path: KeyPath, name: str, key: str) -> Iterator[Finding]:
    counts = Counter(_text(element, key) for element in _elements(job, name))
    for index, element in enumerate(_elements(job, name)):
        value = _text(element, key)
        if value is not None and counts[value] > 1:
            counts[value] = 0
            yield finding(
                element,
                (*path, index, key),
                f"{value!r} occurs twice",
                allowed="unique keys",
                remedy="Rename one.",
            )


def _graph(path: KeyPath, job: Node) -> Iterator[Finding]:
    yield from _twice(job, (*path, "tasks"), "tasks", "task_key")
    tasks = _elements(job, "tasks")
    known = {key for task in tasks if (key := _text(task, "task_key"))}
    graph: dict[str, set[str]] = {}
    for index, task in enumerate(tasks):
        before = graph.setdefault(_text(task, "task_key") or "", set())
        for at, dependency in enumerate(_elements(task, "depends_on")):
            name = _text(dependency, "task_key")
            if name is None:
                continue
            if name in known:
                before.add(name)
                continue
            yield finding(
                dependency,
                (*path, "tasks", index, "depends_on", at, "task_key"),
                f"the job has no task {name!r}",
                allowed=", ".join(sorted(known)),
                remedy="Use a task of this job.",
            )
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        yield finding(
            job.find("tasks") or job,
            (*path, "tasks"),
            "the tasks wait for each other: " + " after ".join(error.args[1]),
            allowed="a graph without a cycle",
            remedy="Remove one depends_on of the cycle.",
        )


def _parameters(path: KeyPath, job: Node) -> Iterator[Finding]:
    declared = {_text(parameter, "name") for parameter in _elements(job, "parameters")}
    tasks = job.find("tasks")
    for inner, node in tasks.walk() if tasks is not None else ():
        for name in _PARAMETER.findall(node.value) if isinstance(node.value, str) else ():
            if name not in declared:
                yield finding(
                    node,
                    (*path, "tasks", *inner),
                    f"the job has no parameter {name!r}",
                    allowed=", ".join(sorted(filter(None, declared))) or "none is defined",
                    remedy="Define it in `parameters` of the job.",
                )


def _triggers(path: KeyPath, job: Node) -> Iterator[Finding]:
    given = [key for key in ("schedule", "trigger", "continuous") if job.find(key) is not None]
    if len(given) > 1:
        yield finding(
            job,
            path,
            f"has {' and '.join(given)}",
            allowed="one of schedule, trigger, continuous",
            remedy="Keep one. A second way to start needs a second job.",
        )
    arrival = job.find("trigger", "file_arrival")
    if arrival is None:
        return
    url = arrival.find("url")
    if url is not None and not str(url.value).startswith(("/Volumes/", "s3://", "abfss://", "gs://", "${")):
        yield finding(
            url,
            (*path, "trigger", "file_arrival", "url"),
            f"{url.value!r} is not a location that can be watched",
            allowed="/Volumes/<catalog>/<schema>/<volume>/... or an external location",
            remedy="Use the volume's path.",
        )
    for key in ("min_time_between_triggers_seconds", "wait_after_last_change_seconds"):
        seconds = arrival.find(key)
        # Source: "Trigger jobs when new files arrive", Databricks documentation.
        if seconds is not None and isinstance(seconds.value, int) and seconds.value < 60:
            yield finding(
                seconds,
                (*path, "trigger", "file_arrival", key),
                f"is {seconds.value}",
                allowed="60 or more",
                remedy="Set at least 60 seconds.",
            )


def _compute(path: KeyPath, task: Node, job: Node) -> Iterator[Finding]:
    for name, key in (("job_clusters", "job_cluster_key"), ("environments", "environment_key")):
        used = task.find(key)
        known = [value for element in _elements(job, name) if (value := _text(element, key))]
        if used is not None and used.value not in known:
            yield finding(
                used,
                (*path, key),
                f"the job has no {key} {used.value!r}",
                allowed=", ".join(known) or f"none is defined below {name}",
                remedy=f"Correct it, or define it in `{name}` of the job.",
            )
    given = [key for key in _COMPUTE if task.find(key) is not None]
    if len(given) > 1:
        yield finding(
            task,
            path,
            f"has {' and '.join(given)}",
            allowed="one of " + ", ".join(_COMPUTE),
            remedy="Keep one.",
        )
    kind = next((key for key in _NEEDS_COMPUTE if task.find(key) is not None), None)
    if kind is not None and not given:
        yield finding(
            task,
            path,
            f"the {kind} names nothing to run on",
            allowed="one of " + ", ".join(_COMPUTE),
            remedy="Add job_cluster_key, or environment_key for serverless compute.",
        )
    if task.find("environment_key") is not None and (libraries := task.find("libraries")) is not None:
        yield finding(
            libraries,
            (*path, "libraries"),
            "libraries are not installed on serverless compute",
            allowed="environments[].spec.dependencies of the job",
            remedy="Move the packages to the environment's dependencies.",
        )
    if task.find("python_wheel_task") is not None and "job_cluster_key" in given:
        wheels = [library for library in _elements(task, "libraries") if library.find("whl") is not None]
        if not wheels:
            yield finding(
                task,
                (*path, "libraries"),
                "the wheel task has no wheel",
                allowed="a library `whl:`",
                remedy="Attach the bundle's wheel: - whl: ../dist/*.whl",
            )


def _dbt(path: KeyPath, task: Node) -> Iterator[Finding]:
    dbt = task.find("dbt_task")
    if dbt is None:
        return
    for index, command in enumerate(_elements(dbt, "commands")):
        where = (*path, "dbt_task", "commands", index)
        try:
            words = shlex.split(str(command.value))
        except ValueError as error:
            yield finding(
                command,
                where,
                f"{command.value!r} is not a shell line ({error})",
                allowed="dbt with its arguments, with closed quotes",
                remedy="Close the quote.",
            )
            continue
        if words[:1] != ["dbt"]:
            yield finding(
                command,
                where,
                f"{command.value!r} does not start with dbt",
                allowed="dbt commands",
                remedy="Begin with `dbt`. Other work needs a separate task.",
            )
        elif words[1:2] == ["deps"]:
            yield finding(
                command,
                where,
                "the project has no dbt packages, and a job must not download any",
                allowed="commands that run offline",
                remedy="Remove it.",
            )
        elif "--target" not in words and "-t" not in words:
            yield finding(
                command,
                where,
                "no target is named: the profile's default is the laptop's",
                allowed="--target ${var.environment}",
                remedy="Add it.",
            )
    warehouse, profiles, schema = (dbt.find(key) for key in ("warehouse_id", "profiles_directory", "schema"))
    if warehouse is not None and profiles is not None:
        yield finding(
            profiles,
            (*path, "dbt_task", "profiles_directory"),
            "with warehouse_id the profile is generated and this one is not read",
            allowed="profiles_directory or warehouse_id",
            remedy="Remove one of the two.",
        )
    if schema is not None and warehouse is None:
        yield finding(
            schema,
            (*path, "dbt_task", "schema"),
            "is read only together with warehouse_id",
            allowed="the profile's schema",
            remedy="Remove it; profiles.yml sets the schema.",
        )


def _bounds(path: KeyPath, task: Node) -> Iterator[Finding]:
    for key, least in (("max_retries", -1), ("timeout_seconds", 0), ("min_retry_interval_millis", 0)):
        node = task.find(key)
        if node is not None and isinstance(node.value, int) and node.value < least:
            yield finding(
                node,
                (*path, key),
                f"is {node.value}",
                allowed=f"{least} or more",
                remedy="Use such a number.",
            )
