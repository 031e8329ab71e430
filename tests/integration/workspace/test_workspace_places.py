"""A workspace works under every name that a folder may have: engine, Delta, Auto Loader and Postgres find the same files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from local_workspace.dlt_runtime.auto_loader.listing import list_files
from local_workspace.engine import EngineHandle, connect
from local_workspace.errors import ConfigurationError
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.workspace import Workspace

# Every character of ASCII that is not a letter and no digit, and what breaks programs in other ways.
CHARACTERS = [chr(code) for code in range(1, 128) if not chr(code).isalnum() and chr(code) not in "/."]
NAMES = [f"a{character}b" for character in CHARACTERS]
NAMES += [
    "ü",
    "日本",
    "a%20b",
    "%41",
    "-x",
    "~",
    " a",
    "a ",
    "..a",
    ".h",
    "*",
    "[1]",
    "{a,b}",
    "e\u0301",
    "\u200b",
]
EVERYTHING = " ü%20#+[1]{a}'\"$`\\\n-x;&?*"


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own data, which some workspaces need."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.mark.parametrize("name", NAMES)
def test_all_readers_see_the_same_files(
    name: str, place: Path, engine: EngineHandle, data_home: Path, request: pytest.FixtureRequest
) -> None:
    """Guards the one place where paths become plain: engine, delta-rs and Auto Loader read and write each other's files."""
    layout = WorkspaceLayout(place / name / "home").create()
    location = layout.table_path("shop", "gold", "T ä".replace(" ", "'"))
    landing = layout.local_path("/Volumes/shop/gold/files/landing")
    landing.mkdir(parents=True)
    (landing / "a [1].json").write_text('{"a": 1}\n')
    spark = connect(engine.address)
    try:
        quoted = str(location).replace("'", "\\'")
        spark.sql(f"CREATE TABLE t USING delta LOCATION '{quoted}' AS SELECT 1 AS a, 'x y' AS p")
        write_deltalake(location, pa.table({"a": pa.array([2], pa.int32()), "p": ["z"]}), mode="append")
        spark.sql(
            "MERGE INTO t USING (SELECT 2 AS a) s ON s.a = t.a WHEN MATCHED THEN UPDATE SET p = 'm'"
        ).collect()
        rows = [(1, "x y"), (2, "m")]
        assert sorted(map(tuple, spark.sql("SELECT a, p FROM t").collect())) == rows
        table = DeltaTable(location)
        table.optimize.compact()
        assert sorted((r["a"], r["p"]) for r in table.to_pyarrow_table().to_pylist()) == rows
        assert spark.read.json(str(landing)).count() == 1
        spark.sql("SELECT 1 AS a").write.parquet(str(layout.pipelines / "staged"))
        assert list((layout.pipelines / "staged").glob("*.parquet"))
    finally:
        spark.stop()
    found = list_files("/Volumes/shop/gold/files/landing", None, layout.local_path, layout.volume_uri, {}).new
    assert [file.uri for file in found] == ["dbfs:/Volumes/shop/gold/files/landing/a [1].json"]
    assert sorted(p.name for p in (layout.home / "warehouse").iterdir()) == ["shop"]
    # The engine has made no folder beside, under an encoded name.
    assert [p.name for p in place.iterdir()] == [name]
    shutil.rmtree(place / name)


@pytest.mark.parametrize("name", ["my orders", EVERYTHING])
def test_a_whole_workspace_under_an_odd_name(name: str, folder: Path, data_home: Path) -> None:
    """Guards daemon, warehouse, Postgres and the files of all under such a name, over a restart and after a reset."""
    layout = WorkspaceLayout(folder / name / "home")
    options = WorkspaceOptions(catalogs=("shop",), schemas=("gold",), linger_seconds=0.1)
    for round_ in range(2):
        with Workspace.attach(layout, options) as workspace:
            postgres = workspace.postgres
            assert postgres is not None
            connection = psycopg2.connect(postgres.uri())
            with connection, connection.cursor() as cursor:
                cursor.execute("CREATE TABLE IF NOT EXISTS t (a int)")
                cursor.execute("INSERT INTO t VALUES (1)")
                cursor.execute("SELECT count(*) FROM t")
                assert cursor.fetchone() == (round_ + 1,)
            connection.close()
            assert workspace.connect().sql("SELECT 1").collect()[0][0] == 1
            (layout.warehouse / "kept").mkdir(mode=0o700, exist_ok=True)
            assert (layout.home / "warehouse" / "kept").is_dir()
        Workspace.down(layout, force=True)
    others = [
        path for path in layout.home.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077
    ]
    assert others == []
    shutil.rmtree(layout.home)
    assert not (layout.create().warehouse / "kept").exists()


def test_a_name_that_is_no_utf_8_is_refused_first(folder: Path) -> None:
    """Guards what cannot work: the first command says so, and has written nothing."""
    home = folder / os.fsdecode(b"a\xff") / "home"
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        WorkspaceLayout(home).create()
    assert list(folder.iterdir()) == []


def test_no_place_for_the_data_is_refused_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the other case that cannot work: neither the folder nor that of the user's data has a usable path."""
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data [2]"))
    with pytest.raises(ConfigurationError, match="table format allows neither"):
        WorkspaceLayout(folder / "a[1]").create()
    assert list(folder.iterdir()) == []
