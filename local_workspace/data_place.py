"""Where a workspace's data is, for folders whose path some program below cannot take.

Three cases, by the path of the workspace folder:

* It is plain: the data is in it, and nothing is in between.
* delta-rs takes it, as `/home/Zoë/my project`: the data is in it, and programs come to it by a link with a plain name in
  :mod:`local_workspace.runtime_folder`.
* delta-rs, which resolves links, does not, as `/home/me/a[1]` or `/home/me/50%25`: the data is in a folder of the user's own
  data (`~/.local/share`), and the workspace folder holds links to it. Deleting the workspace folder is still a reset: a
  workspace that is created again begins without data.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.file_locks import FileLock
from local_workspace.errors import ConfigurationError
from local_workspace.plain_names import is_good_for_delta, is_plain
from local_workspace.private_files import make_private
from local_workspace.runtime_folder import WORKSPACE_LINK, identity, link_in, runtime_folder

# The last one says that the place is in use: it is made when all else stands.
FOLDERS = ("Volumes", "pipelines", "warehouse")
_OWNER = "workspace"
# What may stand in the folder of a workspace before the folders of its data do.
_BEFORE_DATA = {*FOLDERS, "logs", "run", "postgres", "catalog.sqlite", "target", "lost+found"}
# Of the 512 bytes that SQLite has for the path of a file, links resolved (MAX_PATHNAME in its os_unix.c), the rest is for
# `pipelines/<name>/state.sqlite-journal`.
_LONGEST_HOME = 360


def refuse_impossible(home: Path) -> None:
    """Refuse a path that no workspace can have.

    Raises:
        ConfigurationError: The path is not UTF-8 or too long; its folder is somebody's for other things; or its data must be
            elsewhere, and there is no place for it.
    """
    try:
        os.fspath(home).encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(
            "The path of the workspace folder is not UTF-8",
            got=os.fsencode(home),
            consequence="Nothing was written, because databases and logs cannot name it",
            next_step="Rename the folder, or set ORDERS_HOME to another one",
        ) from None
    if (length := len(os.fsencode(os.path.realpath(home)))) > _LONGEST_HOME:
        raise ConfigurationError(
            "The path of the workspace folder is too long",
            got=f"{length:,} bytes, …{os.fspath(home)[-60:]}",
            allowed=f"at most {_LONGEST_HOME} bytes",
            consequence="Nothing was written, because SQLite cannot open the catalog there",
            next_step="Set ORDERS_HOME to a folder with a shorter path",
        )
    _refuse_other_folders(home)
    plain_root(home)


def _refuse_other_folders(home: Path) -> None:
    """Refuse a folder that has another use: a workspace closes its folder to others, and is reset by deleting it."""
    if not home.is_dir() or os.path.lexists(home / FOLDERS[-1]) or not os.access(home, os.R_OK):
        return
    others = sorted(
        entry.name
        for entry in home.iterdir()
        if not entry.name.startswith(".") and entry.name not in _BEFORE_DATA
    )
    if others or home.stat().st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            "The folder is used for something else and is not a workspace",
            got=f"{home}" + (f" with {', '.join(others[:3])}" if others else ", a folder for everybody"),
            allowed="a workspace, an empty folder, or a path where nothing is yet",
            consequence="Nothing was written, because a workspace has a folder of its own that only its owner may enter",
            next_step=f"Set ORDERS_HOME to another folder, for instance {home / '.workspace'}",
        )


def plain_root(home: Path) -> Path:
    """Return the folder of the data under a name that every program takes as it is.

    Raises:
        ConfigurationError: There is no place for the data.
    """
    if is_inside(home):
        return home if is_plain(home) else link_in(runtime_folder(home), WORKSPACE_LINK, home)
    return _elsewhere(home)


def is_inside(home: Path) -> bool:
    """Return whether the data is in the workspace folder itself."""
    return is_good_for_delta(home)


def prepare(home: Path) -> None:
    """Make the place of the data where that is not the workspace folder, and the links to it.

    Raises:
        ConfigurationError: There is no place, or the workspace folder holds something else under the links' names.
        OSError: It cannot be written.
    """
    if is_inside(home):
        return
    place = _elsewhere(home)
    with _alone(home):
        if (home / FOLDERS[-1]).is_symlink():
            return
        # Data of a workspace that was deleted since.
        shutil.rmtree(place, ignore_errors=True)
        make_private(place)
        (place / _OWNER).write_text(os.fspath(home), encoding="utf-8")
        for name in FOLDERS:
            if (home / name).is_dir() and not (home / name).is_symlink():
                raise ConfigurationError(
                    "The workspace folder has data under a path that the table format does not allow",
                    got=home / name,
                    next_step="Move the workspace folder to a path without [ ] ^ | \\ or %, or delete it",
                )
            make_private(place / name)
            link_in(home, name, place / name)


def leftovers() -> list[Path]:
    """Return the places of data whose workspace folder is gone."""
    found = []
    for owner in _shelf().glob(f"*/{_OWNER}"):
        with contextlib.suppress(OSError):
            home = Path(owner.read_text(encoding="utf-8"))
            if not (home / FOLDERS[-1]).is_symlink():
                found.append(owner.parent)
    return found


def _elsewhere(home: Path) -> Path:
    with contextlib.suppress(OSError):
        # Not by the variables of this process, which may be others than those of the process that made it.
        return Path(os.readlink(home / FOLDERS[-1])).parent  # noqa: PTH115
    shelf = _shelf()
    if not (is_plain(shelf) and is_good_for_delta(shelf)):
        raise ConfigurationError(
            "The table format allows neither the path of the workspace folder nor that of the folder for its data",
            got=f"{home}, {shelf}",
            allowed="paths without [ ] ^ | \\ control characters and % before two digits",
            consequence="Nothing was written",
            next_step="Set ORDERS_HOME to another folder, or XDG_DATA_HOME to a folder with a plain name",
        )
    return shelf / identity(home)


def _shelf() -> Path:
    named = os.environ.get("XDG_DATA_HOME", "")
    data = Path(named) if named.startswith("/") else Path.home() / ".local" / "share"
    return data / "local-workspace"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    lock = FileLock(runtime_folder(home) / "place.lock")
    lock.take(seconds=math.inf)
    try:
        yield
    finally:
        lock.release()
