"""The wheel and the source distribution: built, installed into a fresh environment, and used outside the clone.

Offline: the fresh environment borrows the libraries of this one, but not this project.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
_BUILD = "import sys, hatchling.build as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


@dataclass(frozen=True)
class FreshEnvironment:
    """A virtual environment with nothing of the project in it but what was installed.

    Attributes:
        folder: The environment.
        elsewhere: An empty folder outside of the clone, from which commands are run.
    """

    folder: Path
    elsewhere: Path

    @classmethod
    def make(cls, folder: Path) -> FreshEnvironment:
        """Make it without pip, and let it find the libraries of this environment behind its own."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
        [packages] = (folder / "env" / "lib").glob("python*/site-packages")
        # A line of a .pth file is a path, whose own .pth files are not read: the editable install stays invisible.
        (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        (folder / "elsewhere").mkdir()
        return cls(folder / "env", folder / "elsewhere")

    def install(self, archive: Path) -> None:
        """Install one archive as pip does, without looking for anything on the network."""
        [packages] = (self.folder / "lib").glob("python*/site-packages")
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(packages)]
        subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, str(archive)],
            check=True,
            capture_output=True,
            timeout=120,
        )

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run this environment's Python elsewhere, without any variable that names a project or a workspace."""
        foreign = ("ORDERS_", "DBT_", "PYTHON", "POSTGRES_", "DATABRICKS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return subprocess.run(
            [str(self.folder / "bin" / "python"), *arguments],
            cwd=self.elsewhere,
            env={**clean, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def orders(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command by its entry point, as an installed script does."""
        code = "import sys; from orders.cli.main import main; main(sys.argv[1:])"
        return self.python("-c", code, *arguments)


def build(kind: str, folder: Path) -> Path:
    """Build a `wheel` or `sdist` of the clone and give the archive."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, f"build_{kind}", str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """A fresh environment with the wheel in it."""
    fresh = FreshEnvironment.make(tmp_path_factory.mktemp("fresh"))
    fresh.install(wheel)
    return fresh


def version() -> str:
    """The one place of the version."""
    [found] = re.findall(
        r'^version = "(.+)"$', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    return str(found)


def test_the_version_stands_in_one_place(installed: FreshEnvironment, wheel: Path, sdist: Path) -> None:
    """Guards a release: archives and command take the version from pyproject.toml, and no module has its own."""
    assert wheel.name == f"orders_lakehouse-{version()}-py3-none-any.whl"
    assert sdist.name == f"orders_lakehouse-{version()}.tar.gz"
    assert installed.orders("--version").stdout.split()[-1] == version()
    packages = ("orders", "dlt_ingest", "local_workspace", "dbt_postgres_export")
    own = [
        str(file.relative_to(PROJECT))
        for package in packages
        for file in (PROJECT / package).rglob("*.py")
        if f'"{version()}"' in file.read_text(encoding="utf-8")
    ]
    assert own == []


def test_the_wheel_is_what_is_imported(installed: FreshEnvironment) -> None:
    """Guards this test and the wheel: every package comes from the fresh environment, none from the clone."""
    code = "import orders.cli.main, dlt_ingest, local_workspace, dbt_postgres_export as e; print(*(m.__file__ for m in ("
    code += "orders, dlt_ingest, local_workspace, e)))"
    done = installed.python("-c", code)
    assert done.returncode == 0, done.stderr
    for file in done.stdout.split():
        assert Path(file).is_relative_to(installed.folder), file


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--help",), "reconcile"),
        (("config", "validate", "--env", "prod"), "1 configuration checked: 0 errors"),
        (("quality", "list"), "price_positive"),
        (("run", "--help"), "DLT update"),
    ],
)
def test_what_works_without_a_clone(
    installed: FreshEnvironment, arguments: tuple[str, ...], said: str
) -> None:
    """Guards the installed command, as pipx or uvx runs it: what needs no clone works without one."""
    done = installed.orders(*arguments)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


@pytest.mark.parametrize("command", ["run", "ingest", "build", "up", "bundle check", "dashboard"])
def test_what_needs_a_clone_says_so(installed: FreshEnvironment, command: str) -> None:
    """Guards the answer to `pipx run`: pipeline, marts and bundle are files of a clone, and the error says that."""
    done = installed.orders(*command.split())
    assert done.returncode == 1, done.stdout
    assert "This command needs a clone of the project" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(installed.elsewhere.iterdir()) == [], "a refused command left something behind"


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """Guards the sdist: complete, without what a run leaves behind, and a wheel of it has the same files."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(tmp_path)], check=True, timeout=60)
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "databricks.yml",
        "dbt_project.yml",
        "requirements.lock",
    } <= names
    left_behind = (".venv/", ".workspace/", "target/", "logs/", ".git/", ".hypothesis/")
    assert not [name for name in names if name.startswith(left_behind)]
    [unpacked] = tmp_path.iterdir()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, "build_wheel", str(tmp_path)],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    again = tmp_path / done.stdout.split()[-1]
    assert files_of(again) == files_of(wheel)


def files_of(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as content:
        return set(content.namelist())
