"""How the records of one shop are read: what it calls the fields and statuses, and where its days begin.

The values are settings (`dlt_ingest/configurations/*.json`), because shops truly differ here; everything else about a
record is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dlt_ingest.quality.sql_literals import sql_text
from dlt_ingest.quality.text_values import UTC


@dataclass(frozen=True)
class Reading:
    """How the records of one shop are read.

    Attributes:
        field_names: The shop's name of a field -> the name that the field has in every table.
        status_names: The shop's word for a status -> the status. A word that is not listed stays unchanged.
        time_zone: Region in which the days of `date_ordered` begin, and in which an `order_timestamp` is meant that
            says no zone itself.
    """

    field_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    status_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    time_zone: str = UTC

    @property
    def ignores_case(self) -> bool:
        """Whether a name of the shop differs from ours in case only, so that the reader must not tell them apart."""
        return any(theirs.lower() == ours for theirs, ours in self.field_names.items())

    @property
    def other_names(self) -> dict[str, str]:
        """The names of `field_names` that are other columns than ours."""
        return {theirs: ours for theirs, ours in self.field_names.items() if theirs.lower() != ours}

    def status_sql(self) -> str:
        """Return the SQL expression of a record's status in our words."""
        if not self.status_names:
            return "status"
        branches = " ".join(
            f"WHEN {sql_text(theirs)} THEN {sql_text(ours)}" for theirs, ours in self.status_names.items()
        )
        return f"CASE status {branches} ELSE status END"

    def is_rescued_sql(self, field_name: str) -> str:
        """Return the SQL condition that a field was there, under any of its names, and did not fit its type."""
        paths = [f"$.{field_name}"]
        # A name with one of these characters has no path that every engine reads.
        paths += [
            f"$['{theirs}']"
            for theirs, ours in self.field_names.items()
            if ours == field_name and not set(theirs) & set("'\"[]\\")
        ]
        return " OR ".join(f"get_json_object(_rescued_data, {sql_text(path)}) IS NOT NULL" for path in paths)

    def day_of_moment_sql(self, moment: str) -> str:
        """Return the SQL expression of the day that a moment falls on where the shop is."""
        local = (
            moment if self.time_zone == UTC else f"FROM_UTC_TIMESTAMP({moment}, {sql_text(self.time_zone)})"
        )
        return f"TO_DATE({local})"


STANDARD = Reading()
