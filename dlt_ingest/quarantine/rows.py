"""Reading the quarantine: counts by rule and by file, and single rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dlt_ingest.errors import InputError
from dlt_ingest.generators.records import encode_record
from dlt_ingest.quality.inline_rows import Query
from dlt_ingest.quality.order_record import ORDER_FIELD_NAMES, TEXT_FIELDS
from dlt_ingest.quality.rules import RULE_NAMES
from dlt_ingest.quality.sql_literals import sql_text
from dlt_ingest.quarantine.moments import moment_of_text

# Field -> the column with its text.
_TEXTS = {column.name.removesuffix("_text"): column.name for column in TEXT_FIELDS}
_ID = re.compile(r"[0-9a-f]{8,64}")

# A replay that was itself quarantined stands for the row that it was to correct.
_ORIGIN = "COALESCE(replay_of, quarantine_id)"
_REPLAYED = "SELECT DISTINCT replay_of AS origin FROM silver.orders WHERE replay_of IS NOT NULL"


@dataclass(frozen=True)
class QuarantineCount:
    """Rows of the quarantine that have something in common.

    Attributes:
        name: The rule that they break, or the file that they came in.
        rows: Number of rows. A row that breaks two rules counts for both.
        open_rows: Of these, the rows that no replay has brought into Silver yet.
        first_at: When the first of them was quarantined (UTC).
        last_at: When the last of them was quarantined (UTC).
    """

    name: str
    rows: int
    open_rows: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Selection:
    """Which rows of the quarantine are meant; conditions that are given must all hold.

    Attributes:
        rule: A rule that the rows break.
        file: Name of the file that they came in, with or without its folder.
        ids: Their quarantine ids, or the first 8 or more characters of each.
        open_only: Whether rows that a replay has brought into Silver are omitted.
    """

    rule: str | None = None
    file: str | None = None
    ids: tuple[str, ...] = ()
    open_only: bool = False

    def condition(self) -> str:
        """Return the SQL condition on `silver.orders_quarantine`.

        Raises:
            InputError: If the rule is not known or an id cannot be one.
        """
        terms = []
        if self.rule is not None:
            if self.rule not in RULE_NAMES:
                raise InputError("There is no such rule", got=self.rule, allowed=", ".join(RULE_NAMES))
            terms.append(f"array_contains(failed_rules, {sql_text(self.rule)})")
        if self.file is not None:
            terms.append(
                f"(source_file = {sql_text(self.file)} OR endswith(source_file, {sql_text('/' + self.file)}))"
            )
        for quarantine_id in self.ids:
            if not _ID.fullmatch(quarantine_id):
                raise InputError(
                    "This is not a quarantine id",
                    got=quarantine_id,
                    allowed="8 to 64 characters out of 0-9 and a-f",
                    next_step="Take it from `orders quarantine show`",
                )
        if self.ids:
            terms.append(
                "(" + " OR ".join(f"startswith(quarantine_id, {sql_text(i)})" for i in self.ids) + ")"
            )
        return " AND ".join(terms) or "TRUE"


@dataclass(frozen=True)
class QuarantinedRow:
    """One row of the quarantine.

    Attributes:
        quarantine_id: Hash of its file and record.
        origin: The row that it stands for: itself, or the one that it was to correct.
        record: The fields of the record as they came, each in its type; None where missing or not readable.
        failed_rules: Names of the rules it breaks.
        corrupt_record: The line, if it is not a JSON object.
        rescued_data: JSON of the fields that did not fit their type or name.
        texts: Texts that came for price, day or moment and are none, by field.
        source_file: File that it came in.
        quarantined_at: When it was quarantined (UTC).
        replayed: Whether a replay has brought it into Silver.
    """

    quarantine_id: str
    origin: str
    record: Mapping[str, Any]
    failed_rules: tuple[str, ...]
    corrupt_record: str | None
    rescued_data: str | None
    texts: Mapping[str, str]
    source_file: str
    quarantined_at: datetime
    replayed: bool

    def as_json_line(self) -> str:
        """Write the row as a line that a person can correct and `orders quarantine replay` can read.

        The names with an underscore in front are for the reader; the replay skips them.
        """
        return encode_record(
            {
                "quarantine_id": self.quarantine_id,
                **self.record,
                "_failed_rules": list(self.failed_rules),
                "_corrupt_record": self.corrupt_record,
                "_rescued_data": self.rescued_data,
                "_texts": dict(self.texts),
                "_source_file": self.source_file,
                "_quarantined_at": self.quarantined_at,
                "_replayed": self.replayed,
            }
        )


def count_by_rule(query: Query) -> list[QuarantineCount]:
    """Count the quarantined rows by the rules they break, the most frequent first."""
    return _counts(query, "EXPLODE(failed_rules)")


def count_by_file(query: Query) -> list[QuarantineCount]:
    """Count the quarantined rows by the files they came in, the most frequent first."""
    return _counts(query, "source_file")


def read_rows(query: Query, selection: Selection, limit: int | None = None) -> list[QuarantinedRow]:
    """Read rows of the quarantine, the latest first; a row that is there twice is given once.

    Args:
        query: Runs one statement on the warehouse.
        selection: Which rows.
        limit: Largest number of rows; None for all.

    Raises:
        InputError: If the selection names something that cannot be.
    """
    # Everything but the time travels as text: the exact value, whatever a driver makes of decimals and dates.
    fields = ", ".join(f"CAST({name} AS STRING) AS {name}" for name in ORDER_FIELD_NAMES)
    statement = f"""
        WITH replayed AS ({_REPLAYED}),
        selected AS (
            SELECT DISTINCT quarantine_id, {_ORIGIN} AS origin, {fields}, CONCAT_WS(',', failed_rules) AS failed_rules,
                _corrupt_record, _rescued_data, {", ".join(_TEXTS.values())}, source_file, quarantined_at
            FROM silver.orders_quarantine
            WHERE {selection.condition()}
        )
        SELECT selected.*, replayed.origin IS NOT NULL AS replayed
        FROM selected LEFT JOIN replayed ON replayed.origin = selected.origin
        {"WHERE replayed.origin IS NULL" if selection.open_only else ""}
        ORDER BY quarantined_at DESC, quarantine_id
        {f"LIMIT {int(limit)}" if limit is not None else ""}
    """  # fmt: skip
    return [_row(row) for row in query(statement)]


def origins_in_silver(query: Query, origins: Sequence[str]) -> set[str]:
    """Return which of the quarantined rows a replay has brought into Silver."""
    if not origins:
        return set()
    listed = ", ".join(map(sql_text, origins))
    return {
        row["origin"] for row in query(f"SELECT origin FROM ({_REPLAYED}) AS r WHERE origin IN ({listed})")
    }


def _counts(query: Query, name: str) -> list[QuarantineCount]:
    statement = f"""
        WITH replayed AS ({_REPLAYED}),
        named AS (SELECT {name} AS name, {_ORIGIN} AS origin, quarantined_at FROM silver.orders_quarantine)
        SELECT name, COUNT(*) AS all_rows, SUM(CASE WHEN replayed.origin IS NULL THEN 1 ELSE 0 END) AS open_rows,
            MIN(quarantined_at) AS first_at, MAX(quarantined_at) AS last_at
        FROM named LEFT JOIN replayed ON replayed.origin = named.origin
        GROUP BY name
        ORDER BY all_rows DESC, name
    """
    return [
        QuarantineCount(
            row["name"], row["all_rows"], row["open_rows"], _moment(row["first_at"]), _moment(row["last_at"])
        )
        for row in query(statement)
    ]


def _row(row: Mapping[str, Any]) -> QuarantinedRow:
    return QuarantinedRow(
        quarantine_id=row["quarantine_id"],
        origin=row["origin"],
        record={
            "order_id": row["order_id"],
            "order_item": row["order_item"],
            "price": None if row["price"] is None else _plain(Decimal(row["price"])),
            "items_ordered": None if row["items_ordered"] is None else int(row["items_ordered"]),
            "status": row["status"],
            "date_ordered": None if row["date_ordered"] is None else date.fromisoformat(row["date_ordered"]),
            "customer_id": row["customer_id"],
            "order_timestamp": None
            if row["order_timestamp"] is None
            else moment_of_text(row["order_timestamp"]),
            "order_line": row["order_line"],
        },
        failed_rules=tuple(filter(None, row["failed_rules"].split(","))),
        corrupt_record=row["_corrupt_record"],
        rescued_data=row["_rescued_data"],
        texts={
            field: row[text] for field, text in _TEXTS.items() if row[field] is None and row[text] is not None
        },
        source_file=row["source_file"],
        quarantined_at=_moment(row["quarantined_at"]),
        replayed=row["replayed"],
    )


def _plain(price: Decimal) -> Decimal:
    """Return a price with the decimals that it needs, two at least: 12.5000000000 is 12.50."""
    shortest = price.normalize()
    exponent = shortest.as_tuple().exponent
    return shortest if isinstance(exponent, int) and exponent < -2 else price.quantize(Decimal("0.01"))


def _moment(value: datetime) -> datetime:
    return value.replace(tzinfo=None)
