"""The door for pipelines of others: `orders pipeline`, and a temporary workspace for their tests."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from local_workspace import pytest_plugin
from local_workspace.errors import InputError, PipelineCodeError
from local_workspace.layout import WorkspaceLayout
from local_workspace.workspace import Workspace
from orders.cli import pipeline as door

CODE = """
import dlt

@dlt.table
def scans():
    return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
            .option("cloudFiles.inferColumnTypes", "true").load("{path}"))

@dlt.table(name="silver.by_depot")
def by_depot():
    return dlt.read("scans").where(f"depot <> '{{spark.conf.get('skip')}}'").groupBy("depot").count()
"""


def write(folder: Path, path: str) -> tuple[Path, Path]:
    """Write a pipeline that reads `path`, and the folder that shall stand for it."""
    code, data = folder / "parcels", folder / "data"
    code.mkdir()
    data.mkdir()
    (code / "parcels.py").write_text(CODE.format(path=path))
    (data / "1.json").write_text('{"depot": "north"}\n{"depot": "north"}\n{"depot": "test"}\n')
    return code, data


@pytest.mark.parametrize(
    "path", ["/Volumes/main/raw/scans", "dbfs:/Volumes/main/raw/scans/", "s3://bucket/scans"]
)
def test_a_temporary_workspace_runs_a_pipeline(tmp_path: Path, path: str) -> None:
    """Guards the API for pytest: a run, its tables, a further run that goes on from it, and nothing left behind."""
    code, data = write(tmp_path, path)
    settings = {"configuration": {"skip": "test"}, "volumes": {path: data}}
    with Workspace.temporary() as ws:
        home = ws.layout.home
        first = ws.run_pipeline(code, catalog="main", schema="bronze", **settings)
        assert first.datasets["main.bronze.scans"].rows_out == 3
        assert ws.table("silver.by_depot").to_pandas().to_dict("records") == [{"depot": "north", "count": 2}]
        (data / "2.json").write_text('{"depot": "south"}\n')
        again = ws.run_pipeline(code, catalog="main", schema="bronze", **settings)
        assert again.datasets["main.bronze.scans"].rows_out == 1
        assert [row["depot"] for row in ws.table("main.bronze.scans").rows()] == [
            "north",
            "north",
            "south",
            "test",
        ]
    assert not home.exists()


def test_a_failure_is_raised_or_given_back(tmp_path: Path) -> None:
    """Guards tests of pipelines against a failed update that looks like a good one."""
    file = tmp_path / "wrong.py"
    file.write_text("import dlt\n@dlt.table\ndef a():\n    return 1 / 0\n")
    with Workspace.temporary() as ws:
        with pytest.raises(PipelineCodeError, match=r"wrong\.py:4"):
            ws.run_pipeline(file)
        assert not ws.run_pipeline(file, check=False).ok
        with pytest.raises(InputError, match="The file or folder does not exist"):
            ws.run_pipeline(tmp_path / "nowhere")


def test_the_fixture_is_shipped() -> None:
    """Guards the entry point by which pytest finds the fixture."""
    project = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'local_workspace = "local_workspace.pytest_plugin"' in project
    assert hasattr(pytest_plugin, "local_workspace")


EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "parcels"


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """Guards the page "Run your own pipeline": its example is the one that is shipped, and its test passes."""
    page = (EXAMPLE.parents[1] / "docs" / "run-your-own-pipeline.md").read_text(encoding="utf-8")
    for file in (*EXAMPLE.glob("pipeline/*"), EXAMPLE / "test_parcels.py"):
        if file.is_file():
            assert f"\n{file.read_text(encoding='utf-8')}```" in page, file.name
    shutil.copytree(EXAMPLE, tmp_path / "parcels")
    names = runpy.run_path(str(tmp_path / "parcels" / "test_parcels.py"))
    with Workspace.temporary() as ws:
        names["test_each_depot_has_its_parcels"](ws)
        assert ws.table("demo.parcels.scans").to_arrow().num_rows == 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The workspace folder of the command's tests."""
    home = tmp_path_factory.mktemp("door") / "workspace"
    yield home
    Workspace.down(WorkspaceLayout(home), force=True)


class TestCommand:
    """The command, on one workspace of its own."""

    @pytest.fixture
    def run(self, home: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("ORDERS_HOME", str(home))
        monkeypatch.delenv("ORDERS_ENV", raising=False)

        def call(*arguments: object, code: int = 0) -> str:
            result = CliRunner().invoke(door.pipeline, [str(a) for a in arguments])
            assert result.exit_code == code, (result.output, result.exception)
            return result.output

        return call

    def test_run_list_show_reset(self, run, tmp_path: Path) -> None:
        """Guards the life of a pipeline on the command line, and what a reset forgets."""
        code, data = write(tmp_path, "/Volumes/main/raw/scans")
        where = ["--catalog", "main", "--schema", "bronze", "--volume", f"/Volumes/main/raw/scans={data}"]
        run("run", code, *where, "--conf", "skip=test", "--dry-run")
        run("run", code, *where, "--conf", "skip=test")
        (known,) = json.loads(run("list", "--format", "json"))
        assert (known["pipeline"], known["tables"], known["state"]) == ("parcels", 2, "COMPLETED")
        shown = json.loads(run("show", "parcels", "--format", "json"))
        assert {t["table"]: t["rows"] for t in shown["tables"]} == {
            "main.bronze.scans": 3,
            "main.silver.by_depot": 1,
        }
        run("run", code, *where, "--conf", "skip=north")
        assert "main.bronze.scans" in run("reset", "parcels")
        assert json.loads(run("list", "--format", "json")) == []
        run("run", code, *where, "--conf", "skip=test", "--full-refresh")
        assert json.loads(run("show", "parcels", "--format", "json"))["updates"] == 1

    def test_a_bundle(self, run, tmp_path: Path) -> None:
        """Guards `--bundle`: name, catalog, files and configuration come from its pipeline, for the target."""
        code, data = write(tmp_path, "/Volumes/main/raw/scans")
        (tmp_path / "databricks.yml").write_text(
            "bundle: {name: parcels}\nvariables: {schema: {default: bronze}}\n"
            "targets:\n  dev: {default: true}\n  prod: {variables: {schema: shop}}\n"
            "resources:\n  pipelines:\n    scans:\n      name: scans_${bundle.target}\n      catalog: main\n"
            "      schema: ${var.schema}\n      libraries: [{notebook: {path: ./parcels/parcels.py}}]\n"
            "      configuration: {skip: test}\n"
        )
        del code
        run("run", "--bundle", tmp_path, "--target", "prod", "--volume", f"/Volumes/main/raw/scans={data}")
        shown = json.loads(run("show", "scans_prod", "--format", "json"))
        assert shown["tables"][0]["table"] == "main.shop.scans"

    def test_wrong_use(self, run, tmp_path: Path) -> None:
        """Guards the exit code 2 of a mistake in the arguments, each told before a server starts."""
        (tmp_path / "a.py").write_text("import dlt\n")
        run("run", code=2)
        run("run", tmp_path / "a.py", code=2)
        run("run", tmp_path / "a.py", "--catalog", "main", "--schema", "s", "--conf", "x", code=2)
        run("run", tmp_path / "a.py", "--bundle", tmp_path, code=2)
        run("run", tmp_path / "a.py", "--catalog", "main", "--schema", "s", code=1)
