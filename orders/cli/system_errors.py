"""Errors of the operating system, in words for the user who can fix them: a full disk, a path, a right."""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_RIGHTS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_PATHS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
)
_MANY = frozenset({errno.EMFILE, errno.ENFILE})
# How libraries that hide the error number report a full disk: Arrow and Delta, SQLite.
_FULL_TEXTS = ("No space left on device", "database or disk is full", "Disk quota exceeded", "File too large")


def system_error_text(error: BaseException) -> str | None:
    """Return what happened and what to do, or None for an error that is not the operating system's."""
    said = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or any(text in said for text in _FULL_TEXTS):
        return (
            f"There is no room left to write{_place(error)}. No partial output remains visible. "
            "Free some space, then run the command again."
        )
    if not isinstance(error, OSError) or error.filename is None:
        return None
    reason = error.strerror or type(error).__name__
    if number in _RIGHTS:
        return (
            f"The operating system does not allow this{_place(error)}: {reason}. "
            "Get the right to it, or name another place."
        )
    if number in _PATHS:
        return f"This path cannot be used{_place(error)}: {reason}. Name another path, or create it."
    if number in _MANY:
        return f"Too many files are open{_place(error)}. Raise the limit with `ulimit -n 4096`, then run it again."
    return f"The operating system refused{_place(error)}: {reason}. Correct it, then run the command again."


def _place(error: BaseException) -> str:
    if not isinstance(error, OSError) or error.filename is None:
        return ""
    other = f" to {error.filename2}" if error.filename2 is not None else ""
    return f" ({error.filename}{other})"
