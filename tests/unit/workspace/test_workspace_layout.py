"""Databricks paths and names lead to one place below the workspace folder, and never out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_workspace.catalog.names import TableName, quote, split_name
from local_workspace.errors import ConfigurationError, InputError
from local_workspace.layout import WorkspaceLayout

NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="./\\"), min_size=1, max_size=20
)


def test_volume_paths_translate_both_ways(layout: WorkspaceLayout) -> None:
    """Guards that `/Volumes/...` and `dbfs:/Volumes/...` are one file here, and come back as Databricks shows them."""
    plain = layout.local_path("/Volumes/Shop/Bronze/Files/orders/Landing/b 1.json")
    assert plain == layout.home / "Volumes/shop/bronze/files/orders/Landing/b 1.json"
    assert layout.local_path("dbfs:/Volumes/shop/bronze/files/orders/Landing/b 1.json") == plain
    assert layout.volume_uri(plain) == "dbfs:/Volumes/shop/bronze/files/orders/Landing/b 1.json"
    assert layout.local_path("file:/data/a%20b.json") == Path("/data/a b.json")


@pytest.mark.parametrize(
    "path",
    ["/data/x", "dbfs:/mnt/x", "Volumes/a/b/c", "/Volumes/a/b/c/../../../../../etc/passwd", "s3://b/k", ""],
)
def test_other_paths_are_refused(layout: WorkspaceLayout, path: str) -> None:
    """Guards that nothing outside the volumes is read or written by a Databricks path."""
    with pytest.raises(InputError, match="not in a volume"):
        layout.local_path(path)


def test_a_file_outside_has_no_volume_uri(layout: WorkspaceLayout, tmp_path: Path) -> None:
    """Guards that a wrong source file is never recorded as one of a volume."""
    with pytest.raises(InputError, match="not in a volume"):
        layout.volume_uri(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "..", "a\\b", "a\nb", "x" * 256])
def test_bad_names_are_refused(layout: WorkspaceLayout, name: str) -> None:
    """Guards that a table name can never become a path elsewhere."""
    with pytest.raises(InputError, match="not a valid table name"):
        layout.table_path("shop", "gold", name)


@given(catalog=NAMES, schema=NAMES, table=NAMES)
def test_quoted_names_read_back(catalog: str, schema: str, table: str) -> None:
    """Guards quoting: any allowed name, backticks and keywords included, survives SQL text."""
    assert split_name(quote(catalog, schema, table)) == (catalog, schema, table)
    assert TableName.parse(quote(schema, table), catalog=catalog) == TableName(catalog, schema, table)


def test_names_ignore_case_and_fill_up() -> None:
    """Guards how one-, two- and three-level names are completed and compared."""
    name = TableName.parse("`Gold`.Orders", catalog="Shop", schema="unused")
    assert str(name) == "Shop.Gold.Orders"
    assert name == TableName("shop", "GOLD", "orders")
    assert len({name, TableName("shop", "GOLD", "orders")}) == 1
    for bad in ("a.b.c.d", "", "a..b", "a b", "orders"):
        with pytest.raises(InputError):
            TableName.parse(bad)


def test_an_unwritable_home_is_one_sentence(tmp_path: Path) -> None:
    """Guards that a workspace folder that cannot be made is a configuration error, not an OSError."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="cannot be created"):
        WorkspaceLayout(tmp_path / "file" / "home").create()


def test_a_folder_that_is_used_for_something_else_is_refused(tmp_path: Path) -> None:
    """Guards a home or project folder: a workspace in it would close it to others, and a reset would delete it all."""
    (tmp_path / "thesis.tex").write_text("x")
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigurationError, match="used for something else"):
        WorkspaceLayout(tmp_path).create()
    assert (sorted(p.name for p in tmp_path.iterdir()), tmp_path.stat().st_mode & 0o777) == (
        ["thesis.tex"],
        0o755,
    )
    everybody = tmp_path / "tmp"
    everybody.mkdir()
    everybody.chmod(0o1777)
    with pytest.raises(ConfigurationError, match="for everybody"):
        WorkspaceLayout(everybody).create()
    home = tmp_path / "home"
    (home / "Volumes").mkdir(parents=True)
    (home / ".gitignore").write_text("*")
    WorkspaceLayout(home).create()
    (home / "my notes.txt").write_text("in a workspace that is there, everything may lie")
    WorkspaceLayout(home).create()


def test_a_path_that_sqlite_cannot_open_is_refused_first(tmp_path: Path) -> None:
    """Guards a very deep folder: the first command says so, and has written nothing."""
    home = tmp_path / "/".join(["deep" * 20] * 5)
    with pytest.raises(ConfigurationError, match="too long"):
        WorkspaceLayout(home).create()
    assert list(tmp_path.iterdir()) == []


def test_the_run_folder_is_private(layout: WorkspaceLayout) -> None:
    """Guards that token, password and state lie where only their owner can look."""
    layout.create()
    assert layout.run.stat().st_mode & 0o777 == 0o700
