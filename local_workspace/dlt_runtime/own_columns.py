"""Names of the columns that the runtime adds to rows for its own use.

A field of a record that has such a name gets no column of its own: its value is rescued.
"""

from __future__ import annotations

#: Of expectations: whether the row is dropped, and which rules it fails (with a number behind).
DROPPED, MASK = "__dlt_dropped", "__dlt_mask_"
#: Of change feeds: the order of changes, what they do, and which are new.
SEQUENCE, DELETED, NEW = "__sequence", "__deleted", "__new"
#: Of change feeds with history, as Databricks names them.
START, END = "__START_AT", "__END_AT"
#: Of change feeds while a batch is computed.
ORDER, GROUP, HASH = "__order", "__group", "__hash"
#: Of grouped views that are kept up to date (with a number behind).
KEY = "__key_"

_NAMES = {name.lower() for name in (DROPPED, SEQUENCE, DELETED, NEW, START, END, ORDER, GROUP, HASH)}


def is_own(name: str) -> bool:
    """Say whether a name is one of these, in any letter case."""
    folded = name.lower()
    return folded in _NAMES or folded.startswith((MASK, KEY))
