"""Where everything of one workspace lies: one folder, and the translation of Databricks paths into it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

from local_workspace import data_place
from local_workspace.errors import ConfigurationError, InputError, InvalidName
from local_workspace.plain_names import plain_name
from local_workspace.private_files import make_private

_FORBIDDEN_IN_NAMES = re.compile(r"[./\\\x00-\x20\x7f]")


def check_name(name: str, what: str) -> str:
    """Return `name` if Unity Catalog would take it for a catalog, schema, table or volume.

    The rule (no full stop, space, slash, control character or DEL, at most 255 characters) is in Databricks'
    documentation, page "Names", section "Object names in Unity Catalog". The backslash is refused too: it
    is a separator on some systems.

    Raises:
        InvalidName: The name is empty, too long or has a character that is not allowed.
    """
    if not name or len(name) > 255 or _FORBIDDEN_IN_NAMES.search(name):
        raise InvalidName(
            f"This is not a valid {what} name",
            got=repr(name),
            allowed="1 to 255 characters without full stop, space, slash, backslash or control character",
        )
    return name


@dataclass(frozen=True)
class WorkspaceLayout:
    """The folders and files of one workspace; a pure description that creates nothing until :meth:`create`.

    Args:
        home: The workspace folder. It is made absolute, so that later changes of directory do not move it.
    """

    home: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", Path(os.path.abspath(Path(self.home).expanduser())))  # noqa: PTH100

    @cached_property
    def root(self) -> Path:
        """The folder of tables, volumes and bookkeeping, under a name that every program takes as it is.

        It is :attr:`home` where that is plain. Else it is a link to it, or the place outside of it where the data is, see
        :mod:`local_workspace.data_place`. Paths for people come from :meth:`shown`.

        Raises:
            ConfigurationError: There is no such name, as for a path that is not UTF-8.
        """
        return data_place.plain_root(self.home)

    def shown(self, path: Path) -> Path:
        """Return a path below :attr:`root` as a path below :attr:`home`, where people look for it."""
        try:
            return self.home / path.relative_to(self.root)
        except ValueError:
            return path

    @property
    def warehouse(self) -> Path:
        """Delta tables, as `<catalog>/<schema>/<table>/`, see :func:`local_workspace.plain_names.plain_name`."""
        return self.root / "warehouse"

    @property
    def volumes(self) -> Path:
        """What is `/Volumes` on Databricks, as `<catalog>/<schema>/<volume>/`."""
        return self.root / "Volumes"

    @property
    def catalog_file(self) -> Path:
        """The SQLite file of the catalog."""
        return self.home / "catalog.sqlite"

    @property
    def pipelines(self) -> Path:
        """Bookkeeping of the DLT runtime, one folder a pipeline."""
        return self.root / "pipelines"

    @property
    def checkpoints(self) -> Path:
        """What the engine sets aside while it runs."""
        return self.root / "pipelines" / ".checkpoints"

    @property
    def postgres(self) -> Path:
        """Password and port of the embedded Postgres and, where its account can come here, its data."""
        return (self.home if data_place.is_inside(self.home) else self.root) / "postgres"

    @property
    def run(self) -> Path:
        """State, token, certificate and locks of the running processes; only its owner may enter."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """What the processes of the workspace write about themselves."""
        return self.home / "logs"

    def create(self) -> WorkspaceLayout:
        """Create the folders that are missing, and close those that are there to all but their owner.

        Raises:
            ConfigurationError: The folder cannot be created or written, or its name cannot be used.
        """
        data_place.refuse_impossible(self.home)
        try:
            make_private(self.home)
            data_place.prepare(self.home)
            for folder in (self.warehouse, self.volumes, self.pipelines, self.logs, self.run):
                make_private(folder)
            for file in self.logs.iterdir():
                if file.is_file() and file.stat().st_mode & 0o077:
                    file.chmod(0o600)
        except OSError as error:
            raise ConfigurationError(
                "The workspace folder cannot be created or written",
                got=f"{self.home}: {error.strerror or error}",
                next_step="Choose another folder, or get the right to write there",
            ) from error
        return self

    def table_path(self, catalog: str, schema: str, table: str) -> Path:
        """Return the folder of a managed table.

        Names are compared without regard to case, so the folder is always lower case: `A.b.C` and `a.B.c` are
        one table, on a case-sensitive file system too.

        Raises:
            InputError: One of the names is not valid.
        """
        check_name(catalog, "catalog")
        check_name(schema, "schema")
        check_name(table, "table")
        return self.warehouse / plain_name(catalog) / plain_name(schema) / plain_name(table)

    def volume_path(self, catalog: str, schema: str, volume: str) -> Path:
        """Return the folder of a volume.

        Raises:
            InputError: One of the names is not valid.
        """
        check_name(catalog, "catalog")
        check_name(schema, "schema")
        check_name(volume, "volume")
        return self.volumes / catalog.lower() / schema.lower() / volume.lower()

    def local_path(self, uri: str | os.PathLike[str]) -> Path:
        """Translate a path as pipeline code writes it into a path on this machine.

        `/Volumes/c/s/v/rest` and `dbfs:/Volumes/c/s/v/rest` lie below the workspace folder; `file:/...` is
        taken as it is. The three names are lower-cased, the rest keeps its case.

        Raises:
            InputError: Any other path: pipeline code on Databricks could not read it either, or would read
            something else.
        """
        text = os.fspath(uri)
        if text.startswith("file:"):
            return Path(unquote(urlparse(text).path))
        path = text[len("dbfs:") :] if text.startswith("dbfs:") else text
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        if not path.startswith("/") or not parts or parts[0] != "Volumes" or ".." in parts:
            raise InputError(
                "This path is not in a volume",
                got=repr(text),
                allowed="/Volumes/<catalog>/<schema>/<volume>/..., with or without dbfs:, or file:/...",
            )
        names = [part.lower() for part in parts[1:4]]
        return self.volumes.joinpath(*names, *parts[4:])

    def volume_uri(self, path: str | os.PathLike[str]) -> str:
        """Translate a path on this machine into the `dbfs:/Volumes/...` URI that Databricks shows for it.

        Raises:
            InputError: The path is not below the workspace's volumes.
        """
        absolute = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links out of the volume)
        for volumes in (self.volumes, self.home / "Volumes"):
            if volumes in absolute.parents:
                below = absolute.relative_to(volumes)
                break
        else:
            raise InputError(
                "This file is not in a volume of the workspace",
                got=absolute,
                allowed=f"a path below {self.home / 'Volumes'}",
            )
        return "dbfs:/" + "/".join(("Volumes", *below.parts))
