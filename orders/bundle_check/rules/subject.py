"""What every family of rules checks: the bundle, composed and resolved for one target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orders.bundle_check.compose import Composition
from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.references import Dangling

SHARED_FOLDERS = ("/Workspace", "/Volumes", "dbfs:", "/dbfs")


@dataclass(frozen=True)
class Subject:
    """A bundle under check, for one target.

    Attributes:
        composition: The merged files, references as written.
        tree: The same, with the references resolved that the files decide.
        dangling: References to nothing.
    """

    composition: Composition
    tree: Node
    dangling: tuple[Dangling, ...]

    @property
    def root(self) -> Path:
        """The folder of databricks.yml."""
        return self.composition.project_root

    @property
    def target(self) -> str:
        """The target's name."""
        return self.composition.target

    def resources(self, kind: str) -> Iterator[tuple[KeyPath, Node]]:
        """Return the resources of one kind, each with its key path."""
        for name, node in (self.tree.find("resources", kind) or Node({}, self.tree.position)).items():
            yield ("resources", kind, name), node

    def tasks(self) -> Iterator[tuple[KeyPath, Node, Node]]:
        """Return all tasks of all jobs: key path, task and job."""
        for path, job in self.resources("jobs"):
            for index, task in enumerate((job.find("tasks") or Node([], job.position)).elements()):
                yield (*path, "tasks", index), task, job

    def local_path(self, node: Node) -> Path | None:
        """Return the file or folder that a path of the bundle names; None for a path of the workspace.

        A relative path starts at the folder of the YAML file that contains it.
        """
        text = str(node.value)
        if text.startswith("${") or text.startswith(SHARED_FOLDERS):
            return None
        return Path(*(self.root / node.position.file).parent.parts, *Path(text).parts).resolve()
