"""Names of folders that every program below the workspace takes as they are.

Three readers see the same folders. The engine (Sail 0.7.2) percent-encodes most characters in a path before it writes, and
reads `[`, `*`, `?` and `{` as a glob; delta-rs (deltalake 1.6) resolves links first, then decodes `%20`, and fails for a few
characters in what comes out; DuckDB and the Auto Loader read globs, too. Each answer was measured, path by path, by
`tests/integration/workspace/test_workspace_places.py`. So no path with another character than these reaches any of them:
see :class:`local_workspace.layout.WorkspaceLayout`.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_PLAIN_PATH = re.compile(r"[A-Za-z0-9._+/-]*")
# What delta-rs cannot have in the path of a table, links resolved.
_NOT_FOR_DELTA = re.compile(r"[\x00-\x1f\x7f\[\]\\^|]|%[0-9A-Fa-f]{2}")
_PLAIN_NAME = re.compile(rb"[a-z0-9_-]")
_LONGEST_NAME = 200


def is_plain(path: Path) -> bool:
    """Return whether every reader takes this path as it is written."""
    return _PLAIN_PATH.fullmatch(os.fspath(path)) is not None


def is_good_for_delta(path: Path) -> bool:
    """Return whether delta-rs takes this path, which it looks at after all links in it are resolved."""
    return _NOT_FOR_DELTA.search(os.path.realpath(path)) is None


def plain_name(name: str) -> str:
    """Return the folder name of a table, schema or catalog: the same for names that differ in case only.

    Lower-case letters of ASCII, digits, `_` and `-` stand for themselves; any other byte of the name in UTF-8 is `+` and two
    hexadecimal digits, so two names never meet. What would be longer than a file system allows ends in a hash of the name.
    """
    key = name.lower()
    encoded = "".join(
        chr(byte) if _PLAIN_NAME.fullmatch(bytes([byte])) else f"+{byte:02x}"
        for byte in key.encode("utf-8", "surrogatepass")
    )
    if len(encoded) <= _LONGEST_NAME:
        return encoded
    return f"{encoded[:150].rpartition('+')[0] or encoded[:150]}++{hashlib.sha256(key.encode()).hexdigest()[:32]}"
