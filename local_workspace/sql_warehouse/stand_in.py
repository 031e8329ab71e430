"""A table that one statement of the warehouse's own reads, and that nobody else can name."""

from __future__ import annotations

from dataclasses import dataclass

from local_workspace.sql.inference import Columns
from local_workspace.sql.references import Source


@dataclass(frozen=True)
class StandIn:
    """What stands for a name in a statement that the warehouse makes, such as the staged source of a MERGE.

    Attributes:
        source: What the engine reads.
        columns: With their types.
    """

    source: Source
    columns: Columns
