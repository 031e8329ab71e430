"""What Databricks puts around pipeline code without an import: `dbutils`, `display`, `databricks.sdk.runtime`.

It supports what reads: files of volumes, secrets, widgets. What changes something is refused, because pipeline code is run
each time a pipeline is planned.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from local_workspace.dlt_runtime.paths import Paths
from local_workspace.errors import NotSupported, PipelineCodeError


class FileInfo(NamedTuple):
    """A file or folder as `dbutils.fs.ls` lists it; times are milliseconds since 1970."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815  (Databricks' name)

    def isDir(self) -> bool:  # noqa: N802
        """Say whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802
        """Say whether it is a file."""
        return not self.isDir()


class _Part:
    """A part of dbutils; what it does not have is refused by name."""

    _name = "dbutils"
    _way_out = "Do this in a task before or after the pipeline"

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise NotSupported(f"{self._name}.{attribute}", self._way_out)


class _Files(_Part):
    _name = "dbutils.fs"
    _way_out = "Change files in a task before or after the pipeline; ls, head and mkdirs are supported here"

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def ls(self, path: str) -> list[FileInfo]:
        """List a folder."""
        folder = self._paths.local(path)
        if not folder.exists():
            raise PipelineCodeError(f"dbutils.fs.ls: {path} does not exist", got=str(folder))
        found = []
        for child in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
            status, slash = child.stat(), "/" if child.is_dir() else ""
            size = 0 if slash else status.st_size
            uri = self._paths.uri(child)
            found.append(FileInfo(uri + slash, child.name + slash, size, status.st_mtime_ns // 1_000_000))
        return found

    def head(self, path: str, max_bytes: int = 65536) -> str:
        """Return the beginning of a file as text."""
        with self._paths.local(path).open("rb") as file:
            return file.read(max_bytes).decode("utf-8", errors="ignore")

    def mkdirs(self, path: str) -> bool:
        """Make a folder; doing it again changes nothing."""
        self._paths.local(path).mkdir(parents=True, exist_ok=True)
        return True


class _Secrets(_Part):
    _name = "dbutils.secrets"

    def get(self, scope: str, key: str) -> str:
        """Read a secret from the environment."""
        variable = "SECRET_" + re.sub(r"\W", "_", f"{scope}_{key}").upper()
        if variable not in os.environ:
            raise PipelineCodeError(
                f"The secret {key} of scope {scope} is not set",
                allowed=f"the environment variable {variable}",
                next_step=f"Set {variable}, then run the update again",
            )
        return os.environ[variable]

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802
        """Read a secret as bytes."""
        return self.get(scope, key).encode()


class _Widgets(_Part):
    _name = "dbutils.widgets"

    def __init__(self, configuration: Mapping[str, str]) -> None:
        self._configuration, self._defaults = configuration, dict[str, str]()

    def _declare(self, name: str, defaultValue: str = "", *_: Any, **__: Any) -> None:  # noqa: N803
        self._defaults[name] = defaultValue

    text = dropdown = combobox = multiselect = _declare

    def get(self, name: str) -> str:
        """Return the value of the pipeline's configuration, otherwise the widget's default."""
        if name in self._configuration:
            return self._configuration[name]
        if name not in self._defaults:
            raise PipelineCodeError(
                f"Widget {name} has no value",
                next_step=f"Set it: --conf {name}=VALUE, or the configuration of the pipeline",
            )
        return self._defaults[name]

    getArgument = get  # noqa: N815

    def removeAll(self) -> None:  # noqa: N802
        """Forget the defaults."""
        self._defaults.clear()

    def remove(self, name: str) -> None:
        """Forget a default."""
        self._defaults.pop(name, None)


class _Notebook(_Part):
    _name = "dbutils.notebook"
    _way_out = "Include the notebook with %run, or add it to the pipeline as a source file"


class _Library(_Part):
    _name = "dbutils.library"
    _way_out = "Install packages before the update"

    def restartPython(self) -> None:  # noqa: N802
        """Do nothing: what %pip asks for has to be there already."""


class DbUtils(_Part):
    """`dbutils` as far as it reads."""

    def __init__(self, paths: Paths, configuration: Mapping[str, str]) -> None:
        self.fs = _Files(paths)
        self.secrets = _Secrets()
        self.widgets = _Widgets(configuration)
        self.notebook = _Notebook()
        self.library = _Library()


def display(*_: Any, **__: Any) -> None:
    """Show nothing: an update has no notebook to show it in."""


def notebook_globals(session: Any, paths: Paths, configuration: Mapping[str, str]) -> dict[str, Any]:
    """Return the names that a source file finds without an import."""
    return {
        "spark": session,
        "dbutils": DbUtils(paths, configuration),
        "display": display,
        "displayHTML": display,
    }


@contextmanager
def runtime_modules(names: Mapping[str, Any]) -> Iterator[None]:
    """Let code import the same names, as it has to in a plain Python file."""
    from pyspark.sql import functions  # noqa: PLC0415

    runtime = ModuleType("databricks.sdk.runtime")
    runtime.__dict__.update(names)
    runtime.__dict__.update(udf=functions.udf, sc=_NoContext(), sqlContext=names["spark"])
    runtime.__dict__["__all__"] = [*names, "udf", "sc", "sqlContext"]
    old = ModuleType("pyspark.dbutils")
    old.__dict__["DBUtils"] = lambda *_: names["dbutils"]
    modules = {"databricks.sdk.runtime": runtime, "pyspark.dbutils": old}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


class _NoContext(_Part):
    _name = "SparkContext"
    _way_out = "Use the session, spark: serverless pipelines of Databricks have no SparkContext either"
