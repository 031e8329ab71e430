"""Paths as pipeline code writes them, and the files on this machine that they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_workspace.errors import InputError
from local_workspace.layout import WorkspaceLayout


@dataclass(frozen=True)
class Paths:
    """Translates between the two.

    Args:
        layout: The workspace, whose volumes stand for all paths below no mount.
        mounts: Path as code writes it -> folder on this machine, from `--volume`.
        outside: Every place outside the workspace's volumes that was asked for.
    """

    layout: WorkspaceLayout
    mounts: Mapping[str, Path] = field(default_factory=dict)
    outside: set[Path] = field(default_factory=set, compare=False)

    def local(self, uri: str | os.PathLike[str]) -> Path:
        """Return the file or folder that a path means.

        Raises:
            InputError: The path is in no volume and below no mount.
        """
        found = self._local(uri)
        if self.layout.volumes not in (found, *found.parents):
            self.outside.add(found)
        return found

    def _local(self, uri: str | os.PathLike[str]) -> Path:
        text = os.fspath(uri)
        for written, folder in self._longest_first():
            # Databricks takes `dbfs:/x` and `/x` for the same, and so does a mount.
            for prefix in (
                written,
                f"dbfs:{written}" if written.startswith("/") else written.removeprefix("dbfs:"),
            ):
                if text == prefix or text.startswith(prefix.rstrip("/") + "/"):
                    rest = text[len(prefix) :].strip("/")
                    if ".." in rest.split("/"):
                        break
                    return folder / rest if rest else folder
        try:
            return self.layout.local_path(uri)
        except InputError as error:
            raise InputError(
                f"The workspace has no folder for {text!r}",
                allowed="/Volumes/<catalog>/<schema>/<volume>/..., with or without dbfs:, file:/..., or a path that "
                "--volume names",
                next_step=f"Name the folder to read instead: orders pipeline run ... --volume {_prefix(text)}=FOLDER",
            ) from error

    def uri(self, path: Path) -> str:
        """Return the name under which Databricks would show a file."""
        for written, folder in self._longest_first():
            if path == folder or folder in path.parents:
                head = f"dbfs:{written}" if written.startswith("/") else written
                rest = path.relative_to(folder).as_posix()
                return head.rstrip("/") + ("" if rest == "." else f"/{rest}")
        if self.layout.volumes in path.parents:
            return self.layout.volume_uri(path)
        return f"file:{path}"

    def _longest_first(self) -> list[tuple[str, Path]]:
        return sorted(self.mounts.items(), key=lambda item: -len(item[0]))


def _prefix(text: str) -> str:
    """Return the part of a path that a mount would most likely stand for."""
    return text.split("*", 1)[0].rstrip("/") or "/"
