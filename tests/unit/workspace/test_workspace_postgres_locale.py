"""Guards the start of Postgres below a folder whose name is not ASCII, whatever locale the user has."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local_workspace.postgres.server import server_environment


@pytest.mark.parametrize("locale", [{}, {"LANG": "C.UTF-8"}, {"LC_ALL": "C.UTF-8"}], ids=str)
def test_python_keeps_the_locale_of_the_user_and_the_server_has_its_own(
    locale: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reads the names in its .pth files by the locale: in `C` it does not start in a clone below `ü`."""
    for name in ("LANG", "LC_ALL", "LC_CTYPE", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSWORD", "x")
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    environment = server_environment()
    assert {name: environment[name] for name in environment if name.startswith(("LC_", "LANG"))} == locale
    told = "import os; print(os.environ['LC_ALL'], 'PGPASSWORD' in os.environ)"
    command = [
        sys.executable,
        "-m",
        "local_workspace.postgres.child",
        "-1",
        "-1",
        "0",
        sys.executable,
        "-c",
        told,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["C", "False"]
