"""The bundle as local runs use it: the pipeline and dbt commands that would be deployed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orders.bundle_check.compose import Composition, compose
from orders.bundle_check.document import Node, key_text
from orders.bundle_check.errors import BundleError
from orders.bundle_check.references import resolve

_JOB_VALUE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class Bundle:
    """A bundle, read for one target: includes merged, overrides applied, references resolved.

    References that only a workspace can resolve (`${workspace.current_user...}`, ids of deployed resources, variables
    without a value) stay in the text unchanged.

    Attributes:
        project_root: The folder of `databricks.yml`.
        target: The target's name.
        tree: The resolved tree, with positions.
    """

    def __init__(self, composition: Composition, tree: Node) -> None:
        self.project_root = composition.project_root
        self.target = composition.target
        self.tree = tree

    @classmethod
    def load(
        cls, project_root: Path, target: str | None = None, *, variables: Mapping[str, Any] | None = None
    ) -> Bundle:
        """Read `databricks.yml` and its includes.

        Args:
            project_root: The folder of `databricks.yml`.
            target: `dev`, `staging` or `prod`; None for the default target.
            variables: Values that override the files', like `--var` of the Databricks CLI. A local run
                passes `{"catalog": "ecommerce_local"}` and changes nothing else.

        Raises:
            BundleError: A file is unreadable, the target is unknown, or a reference is dangling.
        """
        composition = compose(Path(project_root), target, variables)
        tree, dangling = resolve(composition.tree)
        if dangling:
            first = dangling[0]
            raise BundleError(
                f"${{{first.reference}}} {first.reason}",
                where=f"{first.position} {key_text(first.path)}",
                allowed="a declared variable, a key of the bundle, or a defined resource",
                next_step="Correct the reference; `orders bundle check` lists all of them.",
            )
        return cls(composition, tree)

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return all resources of one kind (`jobs`, `pipelines`, `alerts`, ...) by key."""
        found = self.tree.find("resources", kind)
        return {} if found is None else dict(found.plain())

    def variable(self, name: str) -> Any:
        """Return a variable's value for this target; None if only the deployment sets it."""
        node = self.tree.find("variables", name, "value")
        return None if node is None else node.plain()

    def pipeline(self, name: str = "orders") -> dict[str, Any]:
        """Return a pipeline resource with absolute paths.

        Args:
            name: The pipeline's name, or its key in `resources.pipelines`.

        Returns:
            The keys of the bundle's pipeline resource: name, catalog, schema, libraries, root_path,
            configuration, event_log and so on. Paths in a bundle are relative to the file that contains them; here they
            are absolute.

        Raises:
            BundleError: There is no such pipeline.
        """
        by_name = {str(resource.get("name")): key for key, resource in self.resources("pipelines").items()}
        node = self._resource("pipelines", by_name.get(name, name))
        pipeline: dict[str, Any] = node.plain()
        if (root_path := node.find("root_path")) is not None:
            pipeline["root_path"] = self._absolute(root_path)
        for index, library in enumerate((node.find("libraries") or Node([], node.position)).elements()):
            for kind, key in (("glob", "include"), ("file", "path"), ("notebook", "path")):
                if (path := library.find(kind, key)) is not None:
                    pipeline["libraries"][index][kind][key] = self._absolute(path)
        return pipeline

    def dbt_commands(
        self, job: str = "orders", task: str = "dbt", *, values: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the commands of a job's dbt task, in order, one shell line each.

        Args:
            job: The job's key in `resources.jobs`.
            task: The task's `task_key`.
            values: Values of the job's dynamic values, e.g. `{"job.run_id": "20261123-1"}`. If None, they stay in the
                text unchanged. A parameter of the job that is not among them has its default.

        Raises:
            BundleError: There is no such job or dbt task, or `values` lacks a dynamic value that a command uses.
        """
        node = self._task(job, task)
        commands = node.find("dbt_task", "commands")
        if commands is None:
            raise BundleError(
                f"the task {task!r} is not a dbt task",
                where=str(node.position),
                allowed="a task with dbt_task.commands",
                next_step="Name the job's dbt task.",
            )
        texts = [str(command.value) for command in commands.elements()]
        if values is None:
            return texts
        known = {**self._parameters(job), **values}
        return [self._with_values(text, known, commands) for text in texts]

    def _parameters(self, job: str) -> dict[str, str]:
        parameters = self._resource("jobs", job).find("parameters")
        return {
            f"job.parameters.{name.value}": str(default.value)
            for parameter in ([] if parameters is None else parameters.elements())
            if (name := parameter.find("name")) is not None
            and (default := parameter.find("default")) is not None
        }

    def _with_values(self, text: str, values: Mapping[str, str], node: Node) -> str:
        def value(match: re.Match[str]) -> str:
            if match.group(1) not in values:
                raise BundleError(
                    f"the command uses {match.group(0)}, for which no value was given",
                    where=str(node.position),
                    allowed=", ".join(values) or "no dynamic value",
                    next_step="Pass the value, or remove it from the command.",
                )
            return values[match.group(1)]

        return _JOB_VALUE.sub(value, text)

    def _task(self, job: str, task: str) -> Node:
        tasks = self._resource("jobs", job).find("tasks")
        elements = [] if tasks is None else tasks.elements()
        for node in elements:
            if (key := node.find("task_key")) is not None and key.value == task:
                return node
        known = [key.value for node in elements if (key := node.find("task_key")) is not None]
        raise BundleError(
            f"the job {job!r} has no task {task!r}",
            where=str(self._resource("jobs", job).position),
            allowed=", ".join(map(str, known)) or "no task at all",
            next_step="Use one of these tasks.",
        )

    def _resource(self, kind: str, name: str) -> Node:
        node = self.tree.find("resources", kind, name)
        if node is None:
            raise BundleError(
                f"the bundle has no resource {kind}.{name}",
                where=f"{self.tree.position.file} resources.{kind}",
                allowed=", ".join(self.resources(kind)) or f"no {kind} at all",
                next_step="Use one of these, or define yours in resources/.",
            )
        return node

    def _absolute(self, node: Node) -> str:
        """Return a path of the bundle as an absolute path; a path of the workspace stays unchanged."""
        text = str(node.value)
        if text.startswith(("/", "${")):
            return text
        folder = (self.project_root / node.position.file).parent
        return str(Path(*folder.parts, *Path(text).parts).resolve())
