"""Guards `orders run` against doing nothing when something is new: each kind of change is seen without a server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from local_workspace.catalog import Catalog, TableName
from local_workspace.dlt_runtime.record.state import PipelineState
from orders.cli import nothing_new
from orders.cli.nothing_new import CompleteRun, last_complete_run, look
from orders.cli.project import LOCAL, Project

CLONE = Path(__file__).resolve().parents[3]
# What is in the clone and cannot change what a run does.
WITHOUT_EFFECT = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".sqlfluff",
    ".sqlfluffignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "bench",
    "dashboards",
    "docs",
    "examples",
    "mkdocs.yml",
    "notebooks",
    "parity",
    # Its libraries are those that are installed, whose versions are looked at.
    "pyproject.toml",
    "requirements.lock",
    "tests",
    "torture",
}
CATALOG = "ecommerce_local"
ORDERS = TableName(CATALOG, "silver", "orders")
RECENT = TableName(CATALOG, "gold", "recent")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A clone with one model, one script and one seed, and a workspace with one file, table, view and pipeline."""
    for name in [name for name in os.environ if name.startswith(("ORDERS_", "DBT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path / "workspace"))
    clone = tmp_path / "clone"
    for part, text in {
        "dbt_project.yml": "name: orders\n",
        "dbt_project/models/marts/fct_orders.sql": "select 1\n",
        "macros/ratio.sql": "one\n",
        "seeds/statuses.csv": "a\n",
        "dlt_ingest/transformations/silver.py": "x = 1\n",
    }.items():
        (clone / part).parent.mkdir(parents=True, exist_ok=True)
        (clone / part).write_text(text)
    project = Project(clone=clone, environment=LOCAL)
    project.landing.mkdir(parents=True)
    (project.landing / "orders-000001.json").write_text('{"order_id": 1}\n')
    catalog = Catalog.open(project.layout)
    catalog.create_catalog(CATALOG)
    for schema in ("silver", "gold"):
        catalog.create_schema(CATALOG, schema)
    place = project.layout.table_path(*ORDERS.key)
    write_deltalake(str(place), pa.table({"a": [1]}))
    catalog.put_table(ORDERS, kind="TABLE", location=place)
    catalog.put_table(RECENT, kind="VIEW", location=None, view_sql="select 1")
    catalog.close()
    pipeline(project).close()
    return project


def pipeline(project: Project) -> PipelineState:
    return PipelineState(project.layout.pipelines / "orders" / "state.sqlite")


def noted(project: Project) -> CompleteRun:
    """Note a complete run of now."""
    run = CompleteRun("r1", "2026-01-01T10:00:00+00:00", look(project), "digest")
    (project.layout.home / "complete-run.json").write_text(json.dumps(asdict(run)))
    return run


def test_a_workspace_that_nobody_has_touched_is_unchanged(project: Project) -> None:
    """Guards the skip itself: looking twice gives the same, from a shell with the workspace's variables too."""
    run = noted(project)
    assert last_complete_run(project, look(project)) == run
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ORDERS_RUN_ID", "ORDERS_WAREHOUSE_TOKEN", "DBT_HOST", "DBT_TARGET", "ORDERS_ENV"):
            patch.setenv(name, "local")
        assert last_complete_run(project, look(project)) == run


def _rewrite_keeping_times(project: Project) -> None:
    file = project.landing / "orders-000001.json"
    status = file.stat()
    file.write_text('{"order_id": 2}\n')
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def _change_table(project: Project) -> None:
    write_deltalake(str(project.layout.table_path(*ORDERS.key)), pa.table({"a": [2]}), mode="append")


def _replace_view(project: Project) -> None:
    catalog = Catalog.open(project.layout)
    catalog.put_table(RECENT, kind="VIEW", location=None, view_sql="select 2", replace_existing=True)
    catalog.close()


def _start_update(project: Project) -> None:
    state = pipeline(project)
    state.start_update("u2", None, 1, [])
    state.close()


CHANGES: dict[str, Callable[[Project], object]] = {
    "a file lands": lambda p: (p.landing / "late.json").write_text("{}"),
    "a file lands in another folder": lambda p: (p.landing.parent / "more.csv").write_text("a"),
    "a file goes": lambda p: (p.landing / "orders-000001.json").unlink(),
    "a file is written again in place": _rewrite_keeping_times,
    "a file can be read now": lambda p: (p.landing / "orders-000001.json").chmod(0o600),
    "a folder can be entered now": lambda p: p.landing.chmod(
        0o700 if p.landing.stat().st_mode & 0o077 else 0o750
    ),
    "a table gets rows": _change_table,
    "a view is replaced": _replace_view,
    "an update began and was killed": _start_update,
    "a model changes": lambda p: (p.root / "dbt_project/models/marts/fct_orders.sql").write_text(
        "select 2\n"
    ),
    "a model is added": lambda p: (p.root / "dbt_project/models/marts/fct_more.sql").write_text("select 2\n"),
    "a macro changes": lambda p: (p.root / "macros/ratio.sql").write_text("two\n"),
    "a seed changes": lambda p: (p.root / "seeds/statuses.csv").write_text("b\n"),
    "a variable of the project changes": lambda p: (p.root / "dbt_project.yml").write_text("vars: {}\n"),
    "the pipeline's code changes": lambda p: (p.root / "dlt_ingest/transformations/silver.py").write_text(
        "x = 2\n"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_new(project: Project, change: str) -> None:
    """Guards against a mart that is not built though something that it depends on has changed."""
    noted(project)
    CHANGES[change](project)
    assert last_complete_run(project, look(project)) is None


@pytest.mark.parametrize("variable", ["DBT_FULL_REFRESH", "ORDERS_BILLING_CATALOG"])
def test_a_variable_that_changes_what_is_built_is_new(
    project: Project, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the variables of the shell that dbt and the macros read."""
    noted(project)
    monkeypatch.setenv(variable, "true")
    assert last_complete_run(project, look(project)) is None


def test_another_day_is_new(project: Project) -> None:
    """Guards code of a pipeline that asks for the date where no plan shows it."""
    seen = look(project)
    noted(project)
    assert (
        last_complete_run(project, nothing_new.Seen(**{**asdict(seen), "day": "2026-01-02 2026-01-02"}))
        is None
    )


def test_a_note_that_cannot_be_read_is_no_note(project: Project) -> None:
    """Guards against a note of another version, or half of one."""
    noted(project)
    file = project.layout.home / "complete-run.json"
    for text in ("", "[]", "{}", json.dumps({**json.loads(file.read_text()), "more": 1})):
        file.write_text(text)
        assert last_complete_run(project, look(project)) is None


def test_every_part_of_the_clone_is_looked_at_or_has_no_effect() -> None:
    """Guards against a new folder of code whose changes nobody sees."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=CLONE, capture_output=True, text=True, check=True
    ).stdout.split()
    tops = {path.split("/")[0] for path in tracked}
    looked_at = {part.split("/")[0] for part in nothing_new.PARTS}
    assert tops - looked_at - WITHOUT_EFFECT == set()
    assert all((CLONE / part).exists() for part in nothing_new.PARTS)
