"""Loading pipeline files: the one place where a module named `dlt` exists.

PyPI's `dlt` is another product (dltHub's), and Databricks' own stub cannot run anything, so the runtime puts
a module of its own at `sys.modules["dlt"]`, and the same functions at `pyspark.pipelines`, while pipeline
code is loaded and its functions are called. What was there before is put back.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyspark

from local_workspace.dlt_runtime.declare import api, sql_source
from local_workspace.dlt_runtime.declare.registry import Registry, registration_into
from local_workspace.dlt_runtime.plan import source_files
from local_workspace.dlt_runtime.plan.notebook_globals import notebook_globals, runtime_modules
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
    before, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        # What the code has added counts, too, relative to the folder that was current then.
        places = [root, *(Path(p).resolve() for p in sys.path if p not in path)]
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and any(_belongs_to(place, Path(file).resolve()) for place in places):
                del sys.modules[name]


def _belongs_to(root: Path, file: Path) -> bool:
    """Say whether a module is the pipeline's own: below its root, but of no installed package and not of this runtime."""
    workspace = Path(__file__).resolve().parents[2]
    installed = "site-packages" in file.parts or Path(sys.prefix).resolve() in file.parents
    return root in file.parents and workspace not in file.parents and not installed


@contextlib.contextmanager
def pipeline_environment(session: PipelineSession, root: Path, resolve: Resolver) -> Iterator[None]:
    """Set up what pipeline code needs around it: `dlt`, the import path and a guarded session."""
    names = notebook_globals(session, session.pipeline_paths, session.pipeline_configuration)
    with dlt_module(), runtime_modules(names), _import_root(root), guarded(session, resolve):
        yield


def load_files(files: list[Path], registry: Registry, session: PipelineSession) -> None:
    """Run pipeline files so that they register their datasets. Call it inside :func:`pipeline_environment`.

    Each file runs as a module of its own with `spark` and `dbutils` as globals, in its own folder, as a source file of
    a Databricks pipeline does.

    Raises:
        PipelineCodeError: A file cannot be read, compiled or run; the file and line are named.
    """
    with registration_into(registry):
        for file in files:
            registry.namespace = None  # what one file uses says nothing of the next
            with working_folder(file.parent):
                if file.suffix == ".sql":
                    _declare(file, registry, session)
                else:
                    _run(file, registry, session)


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """Make a source file's folder the current one, and a place for imports, while its code runs."""
    before, place = Path.cwd(), str(folder)
    known = place in sys.path
    os.chdir(folder)
    if not known:
        # Behind the root of the pipeline, which wins on Databricks, too.
        sys.path.insert(1, place)
    try:
        yield
    finally:
        os.chdir(before)


def folder_of(function: Callable[..., Any]) -> Path:
    """Give the folder of the source file that a dataset function stands in; of SQL text, the current one."""
    code = getattr(function, "__code__", None)  # a partial or a callable object has none
    file = Path(re.sub(r", cell \d+$", "", code.co_filename if code is not None else ""))
    runtime = Path(__file__).resolve().parents[1]
    return file.parent if file.is_file() and runtime not in file.parents else Path.cwd()


def _declare(file: Path, registry: Registry, session: PipelineSession) -> None:
    shown = registry.shown(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineCodeError(f"{shown} cannot be read", got=str(error)) from error
    registry.notes += sql_source.declare(text, shown, registry, session.pipeline_configuration)


def _run(file: Path, registry: Registry, session: PipelineSession) -> None:
    name = f"_pipeline_{abs(hash(str(file)))}_{file.stem}"
    module = ModuleType(name)
    module.__dict__["__file__"] = str(file)
    module.__dict__.update(notebook_globals(session, session.pipeline_paths, session.pipeline_configuration))
    sys.modules[name] = module  # dataclasses and pickled functions look their module up
    try:
        _run_cells(file, module, registry, session)
    finally:
        sys.modules.pop(name, None)


def _run_cells(file: Path, module: ModuleType, registry: Registry, session: PipelineSession) -> None:
    shown = registry.shown(file)
    for cell in source_files.cells_of(file, shown):
        if cell.kind == "python":
            _run_python(cell, file, shown, module)
        elif cell.kind == "sql":
            registry.notes += sql_source.declare(
                cell.text, cell.place, registry, session.pipeline_configuration, line=cell.line
            )
        elif cell.kind == "pip":
            source_files.check_installed(cell.text, file.parent, f"{cell.place}:{cell.line}")
        else:
            other = _notebook(file.parent / cell.text, f"{cell.place}:{cell.line}")
            with working_folder(other.parent):
                _run_cells(other, module, registry, session)


def _notebook(path: Path, where: str) -> Path:
    found = [path, *(path.with_name(path.name + suffix) for suffix in (".py", ".ipynb"))]
    for file in found:
        if file.is_file():
            return file.resolve()
    raise PipelineCodeError(
        f"%run at {where} names a notebook that does not exist",
        got=str(path),
        allowed=".py or .ipynb beside the file",
    )


def _run_python(cell: source_files.Cell, file: Path, shown: str, module: ModuleType) -> None:
    # Messages name the file, and the cell of a Jupyter notebook.
    name = str(file) + cell.place.removeprefix(shown)
    try:
        code = compile("\n" * (cell.line - 1) + cell.text, name, "exec")
        exec(code, module.__dict__)  # noqa: S102  (running the user's pipeline code is what this is for)
    except LocalWorkspaceError as error:
        line = line_of(error, name)
        if line and f"{cell.place}:" not in str(error):
            error.args = (f"{error} (at {cell.place}:{line})",)
        raise
    except SyntaxError as error:
        raise PipelineCodeError(f"{cell.place}:{error.lineno} is not valid Python", got=error.msg) from error
    except Exception as error:
        raise PipelineCodeError(
            f"{cell.place}:{line_of(error, name)} failed while it was loaded",
            got=f"{type(error).__name__}: {error}",
            consequence="No dataset was refreshed",
            next_step=_advice(error),
        ) from error


def _advice(error: Exception) -> str | None:
    if isinstance(error, NameError) and error.name in {"dlt", "dp"}:
        return "Import it: import dlt, or: from pyspark import pipelines as dp"
    if isinstance(error, ModuleNotFoundError):
        return (
            f"Install {error.name}, or put its folder beside the source file or at the root of the pipeline"
        )
    return None


def line_of(error: BaseException, file: Path | str) -> int:
    """Find the line of `file` at which an error happened, 0 if it never passed through it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    return (lines[-1] or 0) if lines else 0
