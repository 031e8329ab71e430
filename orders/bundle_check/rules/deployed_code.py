"""The deployed DLT files are those that run locally, and no dataset is omitted."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from orders.bundle_check.document import KeyPath, Node
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.paths import matched_files
from orders.bundle_check.rules.subject import Subject


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def deployed_files(subject: Subject) -> dict[Path, tuple[KeyPath, Node]]:
    """Return the source files of all pipelines, each with the library that includes it."""
    files: dict[Path, tuple[KeyPath, Node]] = {}
    for path, pipeline in subject.resources("pipelines"):
        for index, library in enumerate(
            (pipeline.find("libraries") or Node([], pipeline.position)).elements()
        ):
            for kind, key in (("glob", "include"), ("file", "path")):
                node = library.find(kind, key)
                pattern = None if node is None else subject.local_path(node)
                if node is not None and pattern is not None:
                    # A package marker declares nothing, wherever it runs.
                    sources = [file for file in matched_files(pattern) if file.name != "__init__.py"]
                    files.update(dict.fromkeys(sources, ((*path, "libraries", index, kind, key), node)))
    return files


def check_deployed_code(subject: Subject, local_files: Mapping[Path, str] | None = None) -> Iterator[Finding]:
    """Find dataset files outside every pipeline, and differences from what a local run loads.

    Args:
        subject: The bundle.
        local_files: Files that the local runtime loads, with the SHA-256 of what it loaded; None if unknown.
    """
    files = deployed_files(subject)
    pipelines = list(subject.resources("pipelines"))
    if not pipelines:
        return
    path, pipeline = pipelines[0]
    where = (*path, "libraries")
    place = pipeline.find("libraries") or pipeline
    for file in sorted((subject.root / "dlt_ingest").rglob("*.py")):
        if file.resolve() not in files and _declares_dataset(file):
            yield finding(
                place,
                where,
                f"{file.relative_to(subject.root).as_posix()} declares a dataset but is in no pipeline",
                allowed="libraries that include every file with datasets",
                remedy="Widen the glob, or move the file into its folder.",
            )
    if local_files is None:
        return
    local = {file.resolve(): digest for file, digest in local_files.items()}
    for file in sorted({*files, *local}):
        shown = file.relative_to(subject.root).as_posix() if file.is_relative_to(subject.root) else file.name
        if file not in local:
            problem = f"{shown} is deployed, but local runs do not load it"
        elif file not in files:
            problem = f"local runs load {shown}, and it is not deployed"
        elif hash_of(file) != local[file]:
            problem = f"{shown} is not what the local run loaded (SHA-256 differs)"
        else:
            continue
        yield finding(
            place,
            where,
            problem,
            allowed="the same files, byte for byte",
            remedy="Run `orders ingest` again, or correct the libraries.",
        )


def _declares_dataset(file: Path) -> bool:
    """Return whether a decorator or call of `dlt` in the file declares a table or view."""
    try:
        text = file.read_text(encoding="utf-8")
        if "dlt." not in text:
            return False
        tree = ast.parse(text)
    except (SyntaxError, UnicodeDecodeError):
        return False
    names = {"table", "view", "create_streaming_table", "append_flow"}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == "dlt"
        for node in ast.walk(tree)
    )
