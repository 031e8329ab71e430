"""Every path of the bundle exists and is not excluded from the upload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pathspec

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_FILE = "a file"
_FOLDER = "a folder"


def check_paths(subject: Subject) -> Iterator[Finding]:
    """Look up every file and folder that a resource names, spelt exactly as on disk."""
    for path, pipeline in subject.resources("pipelines"):
        yield from _must_be(subject, pipeline, path, ("root_path",), _FOLDER)
        for index, library in enumerate(
            (pipeline.find("libraries") or Node([], pipeline.position)).elements()
        ):
            yield from _library(subject, library, (*path, "libraries", index))
    for path, dashboard in subject.resources("dashboards"):
        yield from _must_be(subject, dashboard, path, ("file_path",), _FILE)
        file = dashboard.find("file_path")
        if file is not None and not str(file.value).endswith(".lvdash.json"):
            yield finding(
                file,
                (*path, "file_path"),
                f"{file.value!r} is not a dashboard file",
                allowed="a name that ends with .lvdash.json",
                remedy="Export the dashboard to such a file.",
            )
    for path, task, _ in subject.tasks():
        yield from _dbt_folders(subject, path, task)
        yield from _wheels(subject, path, task)
        yield from _must_be(subject, task, path, ("spark_python_task", "python_file"), _FILE)
    for name, artifact in (subject.tree.find("artifacts") or Node({}, subject.tree.position)).items():
        yield from _must_be(subject, artifact, ("artifacts", name), ("path",), _FOLDER)
        folder = artifact.find("path")
        built = None if folder is None else subject.local_path(folder)
        if built is not None and built.is_dir() and not (built / "pyproject.toml").is_file():
            yield finding(
                artifact,
                ("artifacts", name, "path"),
                "the folder has no pyproject.toml to build a wheel from",
                allowed="a folder of a Python project",
                remedy="Name the folder that contains pyproject.toml.",
            )


def _library(subject: Subject, library: Node, path: KeyPath) -> Iterator[Finding]:
    yield from _must_be(subject, library, path, ("file", "path"), _FILE)
    yield from _must_be(subject, library, path, ("notebook", "path"), _FILE)
    include = library.find("glob", "include")
    if include is None:
        return
    where = (*path, "glob", "include")
    pattern = subject.local_path(include)
    text = str(include.value)
    if pattern is None:
        return
    # Source: "pipelines.libraries.glob", pipelines API: a file, or a folder followed by /**; no other wildcard.
    if "*" in text.removesuffix("/**") or "?" in text or "[" in text:
        yield finding(
            include,
            where,
            f"the pattern {text!r} is not supported by pipelines",
            allowed="a file, or a folder followed by /**",
            remedy="Name the folder and end with /**.",
        )
    elif not matched_files(pattern):
        yield finding(
            include,
            where,
            f"{text!r} matches no Python or SQL file",
            allowed="an existing file, or an existing folder followed by /**",
            remedy="Correct the path, which is relative to the folder of this YAML file.",
        )


def matched_files(pattern: Path) -> list[Path]:
    """Return the source files that an absolute `libraries.glob.include` pattern includes in a pipeline."""
    found = pattern.parent.rglob("*") if pattern.name == "**" else [pattern]
    return sorted(file for file in found if file.is_file() and file.suffix in {".py", ".sql"})


def _dbt_folders(subject: Subject, path: KeyPath, task: Node) -> Iterator[Finding]:
    dbt = task.find("dbt_task")
    if dbt is None:
        return
    path = (*path, "dbt_task")
    yield from _must_be(subject, dbt, path, ("project_directory",), _FOLDER)
    project_node = dbt.find("project_directory")
    project = subject.root if project_node is None else subject.local_path(project_node)
    if project is None or not project.is_dir():
        return
    if not (project / "dbt_project.yml").is_file():
        yield finding(
            project_node or dbt,
            (*path, "project_directory"),
            "the folder has no dbt_project.yml",
            allowed="the folder of a dbt project",
            remedy="Name the folder that contains dbt_project.yml, relative to this YAML file.",
        )
    profiles = dbt.find("profiles_directory")
    # Source: "dbt task for jobs": relative to the project directory, unlike all other paths of a bundle.
    if profiles is not None and not (project / str(profiles.value) / "profiles.yml").is_file():
        yield finding(
            profiles,
            (*path, "profiles_directory"),
            f"{profiles.value!r} has no profiles.yml",
            allowed="a folder with profiles.yml, relative to project_directory",
            remedy="Correct the folder's name.",
        )


def _wheels(subject: Subject, path: KeyPath, task: Node) -> Iterator[Finding]:
    """Check that a wheel pattern points to where an artifact is built."""
    artifacts = subject.tree.find("artifacts") or Node({}, subject.tree.position)
    folders = {
        built / "dist"
        for _, artifact in artifacts.items()
        if (node := artifact.find("path")) is not None and (built := subject.local_path(node)) is not None
    }
    for index, library in enumerate((task.find("libraries") or Node([], task.position)).elements()):
        wheel = library.find("whl")
        place = None if wheel is None else subject.local_path(wheel)
        if wheel is not None and place is not None and place.parent not in folders:
            yield finding(
                wheel,
                (*path, "libraries", index, "whl"),
                f"no artifact of the bundle is built into {wheel.value!r}",
                allowed="dist/*.whl in the path of an artifact",
                remedy="Use the artifact's dist folder, relative to this YAML file.",
            )


def _must_be(
    subject: Subject, node: Node, path: KeyPath, keys: tuple[str, ...], kind: str
) -> Iterator[Finding]:
    value = node.find(*keys)
    place = None if value is None or not isinstance(value.value, str) else subject.local_path(value)
    if value is None or place is None:
        return
    if not (place.is_file() if kind == _FILE else place.is_dir()):
        yield finding(
            value,
            (*path, *keys),
            f"{value.value!r} does not exist",
            allowed=f"{kind}, with a path relative to the folder of this YAML file",
            remedy="Correct the path (check ../ and capitals), or add what is missing.",
        )
    elif not _spelt_as_on_disk(place, subject.root):
        yield finding(
            value,
            (*path, *keys),
            f"{value.value!r} differs in capitals from the name on disk",
            allowed="the exact name",
            remedy="Databricks' file system is case-sensitive: spell it as on disk.",
        )


def _spelt_as_on_disk(place: Path, root: Path) -> bool:
    while place not in {root, place.parent}:
        if place.name not in {child.name for child in place.parent.iterdir()}:
            return False
        place = place.parent
    return True


def check_upload(subject: Subject) -> Iterator[Finding]:
    """Check that no file that a resource needs is excluded from what `bundle deploy` uploads."""
    exclude = subject.tree.find("sync", "exclude")
    if exclude is None:
        return
    needed: list[tuple[str, Path]] = []
    for path, pipeline in subject.resources("pipelines"):
        for library in (pipeline.find("libraries") or Node([], pipeline.position)).elements():
            include = library.find("glob", "include")
            pattern = None if include is None else subject.local_path(include)
            if pattern is not None:
                needed += [(str(path[-1]), file) for file in matched_files(pattern)]
        root = pipeline.find("root_path")
        folder = None if root is None else subject.local_path(root)
        if folder is not None and (folder / "dlt_ingest").is_dir():
            needed += [(str(path[-1]), file) for file in (folder / "dlt_ingest").rglob("*.py")]
    if any(task.find("dbt_task") is not None for _, task, _ in subject.tasks()):
        for name in ("dbt_project", "macros", "seeds", "profiles", "tests/dbt"):
            needed += [("dbt", file) for file in (subject.root / name).rglob("*") if file.is_file()]
        needed.append(("dbt", subject.root / "dbt_project.yml"))
    for index, node in enumerate(exclude.elements()):
        spec = pathspec.PathSpec.from_lines("gitwildmatch", [str(node.value)])
        lost = [
            (user, file)
            for user, file in needed
            if file.is_relative_to(subject.root)
            and spec.match_file(file.relative_to(subject.root).as_posix())
        ]
        if lost:
            user, file = lost[0]
            yield finding(
                node,
                ("sync", "exclude", index),
                f"{node.value!r} keeps {len(lost)} needed files from being uploaded, the first is "
                f"{file.relative_to(subject.root).as_posix()} of {user}",
                allowed="patterns that match no deployed code",
                remedy="Make the pattern narrower.",
            )
