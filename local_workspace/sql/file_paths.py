"""Files that a query names by their path, as ``text.`/Volumes/c/s/v/a.txt```: who may read which.

On Databricks a path must lie in a volume or in an external location, on which somebody has given rights ("Query data by
path"; "Manage external locations"). The local workspace has no external locations, so a path must lie in a volume, or be the
folder of a table of this workspace.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from local_workspace.errors import InputError
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.sql_error import SqlError, not_supported, parse_error
from local_workspace.sql.tokens import Token

_FORMATS = frozenset(
    [
        "delta",
        "parquet",
        "json",
        "csv",
        "text",
        "avro",
        "orc",
        "xml",
        "binaryfile",
        "iceberg",
        "arrow",
        "jdbc",
    ]
)
_PATH = re.compile(r"[/\\:*]|^\.")
_GLOB = frozenset("*?[{")
# A reader that decodes these would leave the folder that was looked at.
_ENCODED_STEPS = re.compile(r"%2[ef]|%5c", re.IGNORECASE)


def is_path(parts: Sequence[str]) -> bool:
    """Return whether a name names files: a format, and what can be no table's name."""
    return len(parts) == 2 and parts[0].lower() in _FORMATS and _PATH.search(parts[1]) is not None


def refuse_files(kind: str, path: str) -> str:
    """Refuse any file.

    Raises:
        SqlError: INSUFFICIENT_PERMISSIONS.
    """
    raise no_permission(kind, path)


def no_permission(kind: str, path: str) -> SqlError:
    """Return the error for a path that is in no external location."""
    return SqlError(
        "INSUFFICIENT_PERMISSIONS",
        f"Insufficient privileges: User does not have permission SELECT on any file. The path '{path}' ({kind.lower()}) is "
        "in no external location, and in no volume of this workspace. Copy the files into a volume and name them as "
        "/Volumes/<catalog>/<schema>/<volume>/...",
    )


def readable_path(layout: WorkspaceLayout, kind: str, path: str) -> str:
    """Return the place of files that a query may read: below a volume, or the folder of a table, links followed.

    Args:
        layout: The workspace.
        kind: The format, as written before the path.
        path: As written: ``/Volumes/..``, ``dbfs:/Volumes/..``, or a path of this machine into the workspace.

    Raises:
        SqlError: INSUFFICIENT_PERMISSIONS.
    """
    if _ENCODED_STEPS.search(path) or "\\" in path or ".." in Path(path).parts:
        raise no_permission(kind, path)
    try:
        place = layout.local_path(path)
    except InputError:
        if not path.startswith("/"):
            raise no_permission(kind, path) from None
        place = Path(path)
    real = Path(os.path.realpath(place))
    # Before the first wildcard: what it matches is looked at with the links below.
    fixed = Path(*_before_wildcard(real.parts))
    roots = [Path(os.path.realpath(root)) for root in (layout.volumes, layout.warehouse)]
    inside = next((root for root in roots if root in (fixed, *fixed.parents)), None)
    if inside is None or _leads_out(fixed, inside):
        raise no_permission(kind, path)
    return str(layout.root / _below(real, inside, layout))


def _below(real: Path, root: Path, layout: WorkspaceLayout) -> Path:
    name = layout.volumes.name if root == Path(os.path.realpath(layout.volumes)) else layout.warehouse.name
    return Path(name) / real.relative_to(root)


def _before_wildcard(parts: tuple[str, ...]) -> tuple[str, ...]:
    first = next((at for at, part in enumerate(parts) if _GLOB & set(part)), len(parts))
    return parts[:first]


def _leads_out(folder: Path, root: Path) -> bool:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            entry = os.path.join(place, name)  # noqa: PTH118  (a volume may hold many files)
            if os.path.islink(entry) and root not in Path(os.path.realpath(entry)).parents:  # noqa: PTH114
                return True
    return False


def refuse_other_forms(tokens: Sequence[Token], sql: str) -> None:
    """Refuse what the engine takes for a name of files, or of anything, and Databricks does not or this warehouse cannot.

    Raises:
        SqlError: A string where a name belongs; IDENTIFIER(..); a function that reads files.
    """
    for before, token in pairwise(tokens):
        if token.kind == "string" and (before.text == "." or before.upper in ("FROM", "JOIN")):
            # `extract(YEAR FROM '2024-01-01')` and `trim(BOTH 'x' FROM 'xax')` are expressions.
            if before.text != "." and _in_expression(tokens, tokens.index(before)):
                continue
            raise parse_error(token.text, sql, expected="a name")
        if token.text == "(" and before.upper == "IDENTIFIER" and before.kind == "word":
            raise not_supported("IDENTIFIER(..)", "Write the name itself.")
        if token.text == "(" and before.upper in ("READ_FILES", "CLOUD_FILES"):
            raise not_supported(
                f"{before.text.lower()}()", "Ingest the files with Auto Loader, or read them in a pipeline."
            )


def _in_expression(tokens: Sequence[Token], at: int) -> bool:
    """Return whether the FROM at this place is that of EXTRACT, TRIM, SUBSTRING, POSITION or OVERLAY."""
    depth = 0
    for position in range(at - 1, -1, -1):
        text = tokens[position].text
        depth += (text == ")") - (text == "(")
        if depth < 0:
            return tokens[position - 1].upper in (
                "EXTRACT",
                "TRIM",
                "SUBSTRING",
                "SUBSTR",
                "OVERLAY",
                "POSITION",
            )
        if depth == 0 and tokens[position].upper == "DISTINCT" and position == at - 1:
            return True  # IS DISTINCT FROM 'x'
    return False
