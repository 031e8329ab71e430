"""Guards the boundaries between the packages: after a breach, the DLT files run here and not on Databricks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# `python -m dlt_ingest.<package>` hands its options to the command that does the work.
DOORS = ("__main__.py", "dlt_ingest/generators/orders.py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports, at its top or inside of a function, with the line."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by a relative path"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def breaches(files: list[Path], forbidden) -> list[str]:
    assert files, "no file was looked at"
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imports(path)
        if forbidden(module)
    ]


def python_files(folder: str, *, without: tuple[str, ...] = ()) -> list[Path]:
    skipped = [ROOT / folder / name for name in without]
    return [p for p in (ROOT / folder).rglob("*.py") if not any(p.is_relative_to(s) for s in skipped)]


def test_transformations_import_only_dlt_pyspark_rules_and_settings():
    """Guards the deployed DLT files: anything else does not exist in a pipeline, or pulls the local workspace in."""
    allowed = ("__future__", "dlt", "pyspark.sql", "dlt_ingest.quality", "dlt_ingest.configurations")
    found = breaches(
        python_files("dlt_ingest/transformations"),
        lambda module: not any(within(module, name) for name in allowed),
    )
    assert found == []


@pytest.mark.parametrize(
    "file",
    [
        "dlt_ingest/configurations/pipeline.py",
        "dlt_ingest/quality/evaluation.py",
        "dlt_ingest/quality/rules.py",
        "dlt_ingest/quality/order_record.py",
        "dlt_ingest/quality/order_statuses.py",
        "dlt_ingest/quality/reading.py",
        "dlt_ingest/quality/sql_literals.py",
        "dlt_ingest/quality/text_values.py",
        "dlt_ingest/configurations/__init__.py",
        "dlt_ingest/quality/__init__.py",
        "dlt_ingest/__init__.py",
        "dlt_ingest/errors.py",
        "foundation/__init__.py",
        "foundation/errors.py",
        "foundation/findings.py",
    ],
)
def test_what_transformations_import_needs_pyspark_at_most(file):
    """Guards the import path of the pipeline: no pydantic, click or connector is needed to evaluate a dataset."""
    allowed = (
        "__future__",
        "dataclasses",
        "decimal",
        "types",
        "typing",
        "pyspark.sql",
        "dlt_ingest.errors",
        "foundation",
    )
    allowed += ("collections.abc", "json", "pathlib", "re", "dlt_ingest.quality.order_record")
    allowed += ("dlt_ingest.quality.rules", "dlt_ingest.quality.order_statuses")
    allowed += ("dlt_ingest.quality.visible_text", "dlt_ingest.quality.order_lines")
    allowed += (
        "dlt_ingest.quality.reading",
        "dlt_ingest.quality.sql_literals",
        "dlt_ingest.quality.text_values",
    )
    assert breaches([ROOT / file], lambda module: not any(within(module, name) for name in allowed)) == []


def test_ingest_imports_nothing_of_the_laptop():
    """Guards the deployed half: dlt_ingest runs where neither the local workspace nor the command line is installed."""
    laptop = ("local_workspace", "orders")
    found = breaches(
        python_files("dlt_ingest"), lambda module: any(within(module, package) for package in laptop)
    )
    doors = [breach for breach in found if breach.split(":")[0].endswith(DOORS)]
    assert [breach for breach in found if breach not in doors] == []
    assert doors
    assert [door for door in doors if not within(door.split(" imports ")[1], "orders.cli")] == []


def test_local_workspace_knows_nothing_of_orders():
    """Guards the stand-in: it would run any other project of DLT code and dbt models."""
    project = ("dlt_ingest", "orders", "dbt_postgres_export", "dbt_kept_connections")
    found = breaches(
        python_files("local_workspace"), lambda module: any(within(module, package) for package in project)
    )
    assert found == []


def test_check_of_the_bundle_needs_no_local_workspace():
    """Guards the pre-commit hook: command line and landing join both halves, the check reads the project's files alone."""
    found = breaches(
        python_files("orders", without=("cli", "landing")),
        lambda module: any(
            within(module, name) for name in ("local_workspace", "orders.cli", "orders.landing")
        ),
    )
    assert found == []


# For each package what it may import, lazily or at its top; doors aside, no other arrow between packages exists.
ARROWS = {
    "bench": {"orders", "dlt_ingest", "local_workspace", "foundation"},
    "orders": {"dlt_ingest", "local_workspace", "foundation"},
    "dbt_kept_connections": set(),
    "dbt_postgres_export": {"dlt_ingest", "foundation"},
    "dlt_ingest": {"foundation"},
    "local_workspace": {"foundation"},
    "foundation": set(),
    # Within the local workspace; modules at its top (`workspace`, `doctor`, ...) put these together.
    "local_workspace.daemon": {"catalog", "engine", "postgres", "sql_warehouse"},
    "local_workspace.sql_warehouse": {"catalog", "delta", "engine", "sql"},
    "local_workspace.dlt_runtime": {"catalog", "delta", "engine", "sql"},
    "local_workspace.delta": {"catalog", "sql"},
    "local_workspace.catalog": set(),
    "local_workspace.dashboards": set(),
    "local_workspace.engine": set(),
    "local_workspace.fork_server": {"daemon"},
    "local_workspace.postgres": set(),
    "local_workspace.sql": set(),
    # Within the two large ones.
    "local_workspace.sql_warehouse.protocol": {"statements"},
    "local_workspace.sql_warehouse.statements": set(),
    "local_workspace.dlt_runtime.declare": set(),
    "local_workspace.dlt_runtime.plan": {"auto_loader", "declare", "files"},
    "local_workspace.dlt_runtime.files": {"auto_loader"},
    "local_workspace.dlt_runtime.auto_loader": {"record"},
    "local_workspace.dlt_runtime.record": {
        "refresh"
    },  # the event log has its small files compacted as any table
    "local_workspace.dlt_runtime.refresh": {"auto_loader", "declare", "files", "plan", "record"},
}


def siblings(package: str) -> set[str]:
    """The packages beside one, by their last names."""
    if "." in package:
        folder = ROOT.joinpath(*package.split(".")).parent
        return {path.parent.name for path in folder.glob("*/__init__.py")}
    return {name for name in ARROWS if "." not in name}


@pytest.mark.parametrize("package", ARROWS)
def test_no_arrow_up(package):
    """Guards the layers: a package imports those below it, so that it can be read, tested and replaced without the rest."""
    parent = package.rpartition(".")[0]
    forbidden = siblings(package) - ARROWS[package] - {package.rpartition(".")[2]}
    prefix = f"{parent}." if parent else ""
    found = breaches(
        python_files(package.replace(".", "/")),
        lambda module: any(within(module, prefix + name) for name in forbidden),
    )
    if package == "dlt_ingest":
        found = [breach for breach in found if not breach.split(":")[0].endswith(DOORS)]
    assert found == []


def test_every_package_has_its_place_among_the_layers():
    """Guards the table above against a package that nobody has put into it."""
    for parent in ("local_workspace", "local_workspace/sql_warehouse", "local_workspace/dlt_runtime"):
        for marker in (ROOT / parent).glob("*/__init__.py"):
            assert ".".join(marker.parent.relative_to(ROOT).parts) in ARROWS


def imported_when_loaded(path: Path) -> Iterator[str]:
    """Every name that importing a file imports: not what functions import, nor what only type checkers read."""
    waiting: list[ast.AST] = list(parsed(path).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def graph_of(packages: tuple[str, ...], imported) -> dict[str, set[str]]:
    """Every module of the packages with the modules among them that it imports."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in python_files(package)
    }
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        graph[module] = set()
        for name in imported(path):
            while name and name not in files:
                name = name.rpartition(".")[0]  # noqa: PLW2901  # a class's module, a module's package
            graph[module] |= {name} - {"", module}
    return graph


def test_no_module_needs_itself():
    """Guards the order of loading: with a circle, what works depends on which module is imported first."""
    packages = (
        "orders",
        "dlt_ingest",
        "local_workspace",
        "dbt_postgres_export",
        "dbt_kept_connections",
        "foundation",
    )
    TopologicalSorter(graph_of(packages, imported_when_loaded)).prepare()  # names the circle in its error


def test_no_file_of_the_local_workspace_knows_one_that_knows_it():
    """Guards its layers, types and lazy imports included: in the warehouse, statements stand on the session."""
    graph = graph_of(("local_workspace",), lambda path: (name for _, name in imports(path)))
    TopologicalSorter(graph).prepare()


def test_nothing_of_the_product_imports_dbt():
    """Guards the deployed wheel: dbt is run as a command and never imported."""
    for folder in ("dlt_ingest", "local_workspace", "orders"):
        assert breaches(python_files(folder), lambda module: module.split(".")[0] == "dbt") == []
