"""Fixtures that start real servers; each test that kills something gets a workspace of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local_workspace.daemon import client
from local_workspace.engine import EngineHandle, EngineSettings, SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.options import WorkspaceOptions
from local_workspace.postgres import PostgresServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process, file or socket that is left open is a failure here: this code is what has to end them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for category in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"error::{category}"))


@pytest.fixture(autouse=True)
def no_named_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own POSTGRES_HOST would replace the embedded server."""
    for name in ("HOST", "PORT", "DATABASE", "USER", "PASSWORD", "SSLMODE"):
        monkeypatch.delenv(f"POSTGRES_{name}", raising=False)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that others may pass through, as an ordinary checkout is: root's Postgres runs as `nobody`.

    Not below pytest's own folder: pytest closes that again, whenever another session starts.
    """
    with tempfile.TemporaryDirectory(prefix="workspace-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        yield folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture
def layout(folder: Path) -> Iterator[WorkspaceLayout]:
    """A workspace folder whose processes are stopped after the test, however it ended."""
    layout = WorkspaceLayout(folder / "home")
    yield layout
    client.stop(layout, force=True)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One Postgres for the tests that do not harm it."""
    with open_folder() as made, PostgresServer(WorkspaceLayout(made / "home")) as running:
        yield running


@pytest.fixture
def options() -> WorkspaceOptions:
    return WorkspaceOptions(
        catalogs=("shop", "shop_prod"),
        schemas=("gold",),
        volumes=(("shop", "gold", "files"),),
        linger_seconds=0.2,
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineHandle]:
    """One engine for the tests that do not harm it."""
    layout = WorkspaceLayout(tmp_path_factory.mktemp("engine"))
    with SailEngine.start(layout, EngineSettings(("shop", "shop_prod"))) as handle:
        yield handle
