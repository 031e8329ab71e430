"""Loading pipeline files: the one place where a module named `dlt` exists.

PyPI's `dlt` is another product (dltHub's), and Databricks' own stub cannot run anything, so the runtime puts
a module of its own at `sys.modules["dlt"]`, and the same functions at `pyspark.pipelines`, while pipeline
code is loaded and its functions are called. What was there before is put back.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyspark

from local_workspace.dlt_runtime.declare import api
from local_workspace.dlt_runtime.declare.registry import Registry, registration_into
from local_workspace.dlt_runtime.plan.session import PipelineSession, Resolver, guarded
from local_workspace.errors import LocalWorkspaceError, NotSupported, PipelineCodeError

MODULE_NAMES = ("dlt", "pyspark.pipelines")


class DltModule(ModuleType):
    """The module that pipeline code imports.

    A name it does not have is refused with the list of those it has.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotSupported(
            f"{self.__name__}.{name}", f"Served are: {', '.join(sorted(api.SERVED))}", got="an unknown name"
        )


def _module(name: str) -> ModuleType:
    module = DltModule(name, "Databricks' pipeline decorators, as the local runtime serves them.")
    module.__dict__.update(api.namespace())
    module.__dict__["__all__"] = sorted(api.SERVED)
    # `import dlt.sources` shall say what it is, not fail in the import system.
    module.__dict__["__path__"] = []
    return module


@contextlib.contextmanager
def dlt_module() -> Iterator[None]:
    """Make `import dlt` and `from pyspark import pipelines` give the runtime's functions."""
    before = {name: sys.modules.get(name) for name in MODULE_NAMES}
    attribute = pyspark.__dict__.get("pipelines")
    try:
        for name in MODULE_NAMES:
            sys.modules[name] = _module(name)
        pyspark.pipelines = sys.modules["pyspark.pipelines"]  # type: ignore[attr-defined]
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        if attribute is None:
            pyspark.__dict__.pop("pipelines", None)
        else:
            pyspark.pipelines = attribute  # type: ignore[attr-defined]


@contextlib.contextmanager
def _import_root(root: Path) -> Iterator[None]:
    # Modules of the pipeline are forgotten afterwards: the next update of this process must see their files
    # as they are then.
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and _belongs_to(root, Path(file).resolve()):
                del sys.modules[name]


def _belongs_to(root: Path, file: Path) -> bool:
    """Say whether a module is the pipeline's own: below its root, but of no installed package and not of this runtime."""
    workspace = Path(__file__).resolve().parents[2]
    installed = "site-packages" in file.parts or Path(sys.prefix).resolve() in file.parents
    return root in file.parents and workspace not in file.parents and not installed


class _Refused:
    """A global that notebooks of Databricks have and this runtime does not."""

    def __init__(self, name: str, way_out: str) -> None:
        self._name, self._way_out = name, way_out

    def __getattr__(self, attribute: str) -> Any:
        raise NotSupported(f"{self._name}.{attribute}", self._way_out)


_DBUTILS = _Refused(
    "dbutils", "Pass values in the pipeline's configuration and read them with spark.conf.get"
)


@contextlib.contextmanager
def pipeline_environment(session: PipelineSession, root: Path, resolve: Resolver) -> Iterator[None]:
    """Set up what pipeline code needs around it: `dlt`, the import path and a guarded session."""
    with dlt_module(), _import_root(root), guarded(session, resolve):
        yield


def load_files(files: list[Path], registry: Registry, session: PipelineSession) -> None:
    """Run pipeline files so that they register their datasets. Call it inside :func:`pipeline_environment`.

    Each file runs as a module of its own with `spark` as a global, as a source file of a Databricks pipeline
    does.

    Raises:
        PipelineCodeError: A file cannot be read, compiled or run; the file and line are named.
    """
    with registration_into(registry):
        for file in files:
            _run(file, registry, session)


def _run(file: Path, registry: Registry, session: PipelineSession) -> None:
    shown = registry.shown(file)
    if file.suffix != ".py":
        raise NotSupported("A pipeline file that is not Python", "Declare its datasets in Python", got=shown)
    name = f"_pipeline_{abs(hash(str(file)))}_{file.stem}"
    module = ModuleType(name)
    module.__dict__.update({"__file__": str(file), "spark": session, "dbutils": _DBUTILS})
    sys.modules[name] = module  # dataclasses and pickled functions look their module up
    try:
        code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
        exec(code, module.__dict__)  # noqa: S102  (running the user's pipeline code is what this is for)
    except LocalWorkspaceError:
        raise
    except SyntaxError as error:
        raise PipelineCodeError(f"{shown}:{error.lineno} is not valid Python", got=error.msg) from error
    except OSError as error:
        raise PipelineCodeError(f"{shown} cannot be read", got=error.strerror) from error
    except Exception as error:
        raise PipelineCodeError(
            f"{shown}:{line_of(error, file)} failed while it was loaded",
            got=f"{type(error).__name__}: {error}",
            consequence="No dataset was refreshed",
        ) from error
    finally:
        sys.modules.pop(name, None)


def line_of(error: BaseException, file: Path | str) -> int:
    """Find the line of `file` at which an error happened, 0 if it never passed through it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    return (lines[-1] or 0) if lines else 0
