"""A private folder with a short, plain name for what a workspace has only while the machine is up.

It holds the engine's socket, whose path may have 107 bytes at most (unix(7)), and a link to the workspace for programs that
do not take every character in a path. It is made again whenever it is missing, so it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from pathlib import Path

from local_workspace.errors import ConfigurationError
from local_workspace.plain_names import is_plain

WORKSPACE_LINK = "workspace"
_LONGEST = 60


def runtime_folder(home: Path) -> Path:
    """Return the private folder of the workspace in `home`, which is created if missing.

    Raises:
        ConfigurationError: Somebody else has the place, or no folder for temporary files can be used.
    """
    folder = _private(_base()) / identity(home)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def identity(home: Path) -> str:
    """Return a short name that no other workspace folder of this machine has."""
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


def link_in(folder: Path, name: str, target: Path) -> Path:
    """Make the link `folder/name` lead to `target`, at once and whoever else does the same; return it."""
    link = folder / name
    if _target(link) != os.fspath(target):
        fresh = folder / f".{name}.{uuid.uuid4().hex}"
        fresh.symlink_to(target)
        fresh.replace(link)
    return link


def forget_runtime_folders(kept: Path) -> None:
    """Delete what killed workspaces left whose folders are gone.

    Args:
        kept: Home of the workspace that asks; it is kept in any case.
    """
    for folder in _private(_base()).iterdir():
        target = _target(folder / WORKSPACE_LINK)
        if folder.name != identity(kept) and target is not None and not Path(target).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _target(link: Path) -> str | None:
    with contextlib.suppress(OSError):
        return os.readlink(link)  # noqa: PTH115  (Path.readlink() would normalise the text)
    return None


def _base() -> Path:
    # Not from the environment where that can be avoided: two commands must come to the same folder.
    for place in (Path("/tmp"), Path(tempfile.gettempdir()), Path("/var/tmp")):  # noqa: S108  (a folder of mode 0700 is made)
        if is_plain(place) and len(str(place)) <= _LONGEST and os.access(place, os.W_OK | os.X_OK):
            return place / f"local-workspace-{os.geteuid()}"
    raise ConfigurationError(
        "No folder for temporary files can be used",
        allowed="one of /tmp, TMPDIR and /var/tmp, writable, with a short path of ASCII letters",
        next_step="Set TMPDIR to such a folder",
    )


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise ConfigurationError(
            "The folder for the workspace's socket belongs to somebody else",
            got=folder,
            consequence="It was not used, because its owner could read what passes through it",
            next_step="Have it deleted, or set TMPDIR to your own folder",
        )
    if stat.S_IMODE(info.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
