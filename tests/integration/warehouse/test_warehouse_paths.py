"""Files by path, and names that few would give: taken where Databricks takes them, refused in its words elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_workspace.catalog import Catalog
from local_workspace.engine import EngineSettings, SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.warehouse import Warehouse

REFUSED = r"\[INSUFFICIENT_PERMISSIONS\].*external location.*SQLSTATE: 42501"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceLayout:
    return WorkspaceLayout(tmp_path_factory.mktemp("paths") / "home").create()


@pytest.fixture(scope="module")
def session(layout: WorkspaceLayout) -> Iterator[ClientSession]:
    catalog = Catalog.open(layout)
    catalog.create_catalog("c")
    catalog.create_schema("c", "s")
    catalog.create_volume("c", "s", "files")
    with SailEngine.start(layout, EngineSettings(("c",))) as engine:
        opened = Warehouse(layout, catalog, engine.address).open_session("c", "s")
        yield opened
        opened.close()
    catalog.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    file.write_text("secret\n")
    return file


@pytest.fixture(scope="module")
def volume(layout: WorkspaceLayout, secret: Path, session: ClientSession) -> Path:
    """A volume with files of its own, and links that lead out of it."""
    del session  # makes the volume
    folder = layout.local_path("/Volumes/c/s/files")
    for name in ("plain", "links", "my files"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.txt").write_text("hello\n")
    (folder / "links" / "b.txt").symlink_to(secret)
    (folder / "out").symlink_to(secret.parent)
    return folder


QUERIES = [
    "SELECT * FROM {0}",
    "SELECT (SELECT count(*) FROM {0})",
    "WITH a AS (SELECT * FROM {0}) SELECT * FROM a",
    "SELECT 1 AS x UNION ALL SELECT count(*) FROM {0}",
    "SELECT * FROM (SELECT 1 AS y) q JOIN {0} ON true",
    "SELECT * FROM (SELECT 1 AS y) q, {0}",
    "FROM {0} SELECT *",
    "EXPLAIN SELECT * FROM {0}",
    "CREATE TABLE taken AS SELECT * FROM {0}",
    "CREATE VIEW seen AS SELECT * FROM {0}",
    "CREATE TEMPORARY VIEW seen_too AS SELECT * FROM {0}",
    "TABLE {0}",
    "DESCRIBE {0}",
    "DESCRIBE DETAIL {0}",
    "OPTIMIZE {0}",
    "INSERT INTO {0} SELECT 1",
    "DELETE FROM {0}",
    "UPDATE {0} SET a = 1",
    "MERGE INTO {0} AS t USING (SELECT 1 AS a) AS s ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE cloned SHALLOW CLONE {0}",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_path_outside_is_refused_wherever_it_stands(
    query: str, session: ClientSession, secret: Path
) -> None:
    """Guards every file of the machine's user: no statement reads or writes one by its path."""
    with pytest.raises(SqlError, match=REFUSED):
        session.execute(query.format(f"text.`{secret}`")).table()
    assert secret.read_text() == "secret\n"
    assert not {"taken", "seen", "cloned"} & {t.name.table for t in session.catalog.tables("c", "s")}


@pytest.mark.parametrize(
    "kind", ["text", "TEXT", "`text`", "csv", "parquet", "delta", "json", "avro", "binaryFile"]
)
def test_every_format_is_refused(kind: str, session: ClientSession, secret: Path) -> None:
    """Guards the formats that this engine reads, and those that another one would."""
    with pytest.raises(SqlError, match=REFUSED):
        session.execute(f"SELECT * FROM {kind}.`{secret}`")


@pytest.mark.parametrize(
    "path",
    [
        "{secret}",
        "file:{secret}",
        "file://{secret}",
        "file:///{secret}",
        "{home}/run",
        "{home}/postgres/password",
        "{home}/catalog.sqlite",
        "{home}/Volumes/../run/token",
        "/Volumes/../../../../../../{secret}",
        "/Volumes/c/s/files/%2e%2e/%2e%2e/%2e%2e/%2e%2e/run",
        "/Volumes/c/s/files/..%2f..%2f..%2f..%2frun",
        "/Volumes/c/s/files/out",
        "/Volumes/c/s/files/out/secret.txt",
        "/Volumes/c/s/files/out/*",
        "/Volumes/c/s/files/*/secret.txt",
        "/Volumes/c/s/files/links",
        "/Volumes/c/s/files/links/b.txt",
        "dbfs:/Volumes/c/s/files/out/secret.txt",
        "dbfs:/etc",
        "./run",
        "../elsewhere",
        "s3://bucket/key",
        "abfss://container@account/x",
        "http://127.0.0.1:1/",
    ],
)
def test_every_way_out_is_refused(
    path: str, session: ClientSession, layout: WorkspaceLayout, secret: Path, volume: Path
) -> None:
    """Guards links, steps upwards, URIs and percent signs, and what is in the workspace but in no volume."""
    del volume
    with pytest.raises(SqlError, match=REFUSED):
        session.execute(f"SELECT * FROM text.`{path.format(secret=secret, home=layout.home)}`").table()


@pytest.mark.parametrize(
    "form",
    [
        "SELECT * FROM text.'{0}'",
        'SELECT * FROM text."{0}"',
        "SELECT * FROM '{0}'",
        "SELECT * FROM identifier('text.`{0}`')",
        "SELECT * FROM read_files('{0}')",
        "SELECT * FROM text . `{0}`",
        "COPY INTO t FROM '{0}' FILEFORMAT = JSON",
        "CREATE TABLE t USING json OPTIONS (path '{0}')",
        "CREATE TABLE t (a INT) USING delta LOCATION '{0}'",
        "CREATE TEMPORARY VIEW t USING text OPTIONS (path '{0}')",
        "INSERT OVERWRITE DIRECTORY '{0}' USING json SELECT 1",
        "LOAD DATA INPATH '{0}' INTO TABLE t",
        "ADD FILE '{0}'",
        "SELECT * FROM text",
    ],
)
def test_other_words_for_a_file_are_refused(form: str, session: ClientSession, secret: Path) -> None:
    """Guards what stands beside `format.path`: none of it reaches the engine, and none is a fault of the warehouse."""
    with pytest.raises(SqlError) as caught:
        session.execute(form.format(secret)).table()
    assert caught.value.error_class not in {"INTERNAL_ERROR", "ENGINE_ERROR"}, caught.value


def test_files_in_a_volume_are_read(session: ClientSession, layout: WorkspaceLayout, volume: Path) -> None:
    """Guards what Databricks allows: files of a volume by its path, and a table's folder of this workspace."""
    for path in (
        "/Volumes/c/s/files/plain",
        "/Volumes/c/s/files/plain/a.txt",
        "/Volumes/C/S/Files/plain/*.txt",
        "dbfs:/Volumes/c/s/files/plain",
        str(volume / "plain"),
        "/Volumes/c/s/files/my files",
    ):
        assert session.execute(f"SELECT * FROM text.`{path}`").table().to_pylist() == [{"value": "hello"}], (
            path
        )
    session.execute("CREATE TABLE own AS SELECT 1 AS a")
    folder = layout.table_path("c", "s", "own")
    assert session.execute(f"SELECT a FROM delta.`{folder}`").table().to_pylist() == [{"a": 1}]
    # A string after FROM that is no source, and a column that looks like a path.
    assert session.execute("SELECT trim(BOTH 'x' FROM 'xax') AS t").table().to_pylist() == [{"t": "a"}]
    assert session.execute("SELECT text.`a/b` AS v FROM (SELECT 1 AS `a/b`) AS text").table().to_pylist() == [
        {"v": 1}
    ]


NAMES = [
    "x'y\"z;--",
    "ü",
    "日本",
    "a`b",
    "a%20b",
    "a#b",
    "a+b",
    "a[b]",
    "select",
    "1",
    "-",
    "x" * 255,
    "é" * 100,
    "{a}",
    "$x",
    "*",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_may_have_any_name(name: str, session: ClientSession, layout: WorkspaceLayout) -> None:
    """Guards every name that Unity Catalog takes: made, filled, changed, described and dropped, in a folder of its own."""
    quoted = "`" + name.replace("`", "``") + "`"
    # Columns may not have some characters that tables may (Delta without column mapping).
    column = "v" if set(name) & set(" ,;{}()\n\t=") else quoted
    session.execute(f"CREATE TABLE {quoted} (a INT, {column} STRING)")
    session.execute(f"INSERT INTO {quoted} VALUES (1, 'one'), (2, 'two')")
    session.execute(f"UPDATE {quoted} SET {column} = 'zwei' WHERE a = 2")
    rows = session.execute(f"SELECT t.{column} AS v FROM s.{quoted} AS t ORDER BY a").table().to_pylist()
    assert rows == [{"v": "one"}, {"v": "zwei"}]
    assert session.execute(f"DESCRIBE TABLE EXTENDED {quoted}").table().num_rows
    folder = layout.table_path("c", "s", name)
    assert (folder / "_delta_log").is_dir()
    session.execute(f"DROP TABLE {quoted}")
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a/b", "a\\b", "a\nb", "a\tb", "x" * 256])
@pytest.mark.parametrize(
    "form", ["CREATE TABLE s.{0} (a INT)", "CREATE SCHEMA {0}", "CREATE VIEW s.{0} AS SELECT 1 AS a"]
)
def test_a_name_that_cannot_be_is_refused_by_class(name: str, form: str, session: ClientSession) -> None:
    """Guards the others: Databricks' class, never a fault of the warehouse."""
    with pytest.raises(SqlError) as caught:
        session.execute(form.format("`" + name + "`"))
    assert caught.value.error_class in {"INVALID_SCHEMA_OR_RELATION_NAME", "PARSE_SYNTAX_ERROR"}, caught.value
