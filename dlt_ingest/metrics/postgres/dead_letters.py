"""Rows that Postgres rejected: kept with the reason, closed when obsolete, delivered again on request.

An export sends the whole model. So an open letter that the next export does not reject again is out of
date: its row was delivered meanwhile, or is no longer in the model. It is then closed as `superseded`, which
is why a replay can never put an old value over a newer one. A model that is sent in parts (`since`) never changes
a row, so its letters stay open until a replay, and a replay is harmless there too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from dataclasses import astuple, dataclass, field, replace

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # a class, in lower case
from psycopg2.extras import execute_values

from dlt_ingest.metrics.postgres.loading import REJECTIONS
from dlt_ingest.metrics.postgres.merging import Row, upsert_row
from dlt_ingest.metrics.postgres.row_encoding import payload_json
from dlt_ingest.metrics.postgres.target_table import TargetTable

_REASONS = {"23502": "null_value", "23505": "not_unique", "21000": "duplicate_key", "22021": "bad_character"}
_PAGE_ROWS = 1000


@dataclass
class _Letter:
    payload: str
    reason: str
    sqlstate: str
    message: str
    copies: int = 1


@dataclass
class DeadLetters:
    """The rejected rows of one delivery.

    Attributes:
        target: Table that the rows were meant for.
        letters: By the hash of the payload: equal rows are one letter with a count.
    """

    target: str
    letters: dict[str, _Letter] = field(default_factory=dict)
    rows: int = 0

    def add(self, row: Row, sqlstate: str, message: str) -> None:
        """Take a rejected row with the reason that Postgres gave."""
        self.rows += 1
        payload = payload_json(row)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        if digest in self.letters:
            self.letters[digest].copies += 1
        else:
            self.letters[digest] = _Letter(payload, reason_of(sqlstate), sqlstate, message)

    def write(self, cursor: Cursor, run_id: str | None, *, whole: bool) -> None:
        """Record them; after a delivery of the whole model, close this table's open letters that are not among them."""
        if self.letters:
            execute_values(
                cursor,
                "insert into metrics._dead_letter as d"
                " (target, payload_hash, payload, reason, sqlstate, message, copies, run_id) values %s"
                " on conflict (target, payload_hash) do update set"
                " attempts = d.attempts + 1, status = 'open',"
                " reason = excluded.reason, sqlstate = excluded.sqlstate, message = excluded.message,"
                " copies = excluded.copies, run_id = excluded.run_id,"
                " last_failed_at = now(), resolved_at = null",
                [(self.target, digest, *astuple(item), run_id) for digest, item in self.letters.items()],
            )
        if whole:
            cursor.execute(
                "update metrics._dead_letter set status = 'superseded', resolved_at = now()"
                " where target = %s and status = 'open' and payload_hash <> all(%s)",
                (self.target, list(self.letters)),
            )


@dataclass(frozen=True)
class ReplayResult:
    """The outcome of the open dead letters of one table.

    Attributes:
        target: The table.
        delivered: Letters whose row is in the table now.
        rejected: Letters that were rejected again and stay open.
    """

    target: str
    delivered: int
    rejected: int

    @property
    def tried(self) -> int:
        """All letters that were open."""
        return self.delivered + self.rejected

    def __str__(self) -> str:
        return f"metrics.{self.target}: {self.delivered:,} dead letters delivered, {self.rejected:,} rejected again"


def reason_of(sqlstate: str) -> str:
    """Name the kind of a rejection, for counting: the value itself, a constraint, or something special."""
    return _REASONS.get(sqlstate) or (
        "constraint_violated" if sqlstate.startswith("23") else "value_rejected"
    )


def open_targets(cursor: Cursor) -> list[str]:
    """Return the tables that have open letters."""
    cursor.execute("select distinct target from metrics._dead_letter where status = 'open' order by 1")
    return [target for (target,) in cursor.fetchall()]


def open_count(cursor: Cursor, target: str) -> int:
    """Count the open letters of one table."""
    cursor.execute(
        "select count(*) from metrics._dead_letter where target = %s and status = 'open'", (target,)
    )
    found = cursor.fetchone()
    return int(found[0]) if found else 0


def replay(cursor: Cursor, target: str, table: TargetTable) -> ReplayResult:
    """Deliver the open letters of one table, each on its own: a failing one does not hold up the others.

    Args:
        cursor: Inside a transaction that holds the table's advisory lock.
        target: Name of the table as the letters have it.
        table: The table with all its columns.
    """
    last, delivered, rejected = "", 0, 0
    ambiguous = _ambiguous_keys(cursor, target, table)
    while True:
        cursor.execute(
            "select payload_hash, payload from metrics._dead_letter where target = %s and status = 'open'"
            " and payload_hash > %s order by payload_hash limit %s for update",
            (target, last, _PAGE_ROWS),
        )
        page = cursor.fetchall()
        if not page:
            return ReplayResult(target, delivered, rejected)
        for digest, payload in page:
            fault = _deliver(cursor, payload, table, ambiguous)
            if fault is None:
                delivered += 1
                cursor.execute(
                    "update metrics._dead_letter set status = 'delivered', resolved_at = now()"
                    " where target = %s and payload_hash = %s",
                    (target, digest),
                )
            else:
                rejected += 1
                cursor.execute(
                    "update metrics._dead_letter set attempts = attempts + 1, last_failed_at = now(),"
                    " reason = %s, sqlstate = %s, message = %s where target = %s and payload_hash = %s",
                    (reason_of(fault[0]), *fault, target, digest),
                )
        last = page[-1][0]


def _ambiguous_keys(cursor: Cursor, target: str, table: TargetTable) -> set[tuple[object, ...]]:
    """Return the keys that several open letters want to write: none of them is more right than the others."""
    cursor.execute(
        "select payload from metrics._dead_letter"
        " where target = %s and status = 'open' and reason = 'duplicate_key'",
        (target,),
    )
    seen: Counter[tuple[object, ...]] = Counter()
    for (payload,) in cursor.fetchall():
        with contextlib.suppress(ValueError):
            seen[_key_of(json.loads(payload), table)] += 1
    return {key for key, count in seen.items() if count > 1}


def _key_of(row: object, table: TargetTable) -> tuple[object, ...]:
    return tuple(row.get(name) for name in table.key) if isinstance(row, dict) else ()


def _deliver(
    cursor: Cursor, payload: str, table: TargetTable, ambiguous: set[tuple[object, ...]]
) -> tuple[str, str] | None:
    """Try one letter; give SQLSTATE and message if its row is rejected again."""
    try:
        row = json.loads(payload)
    except ValueError as error:
        return "22032", f"the payload is no longer JSON: {error}"
    fault = _refusal(row, table, ambiguous)
    if fault is not None:
        return fault
    cursor.execute("savepoint letter")
    try:
        upsert_row(cursor, replace(table, columns=tuple(row)), row)
    except REJECTIONS as error:
        cursor.execute("rollback to savepoint letter")
        fault = error.pgcode or "", first_line(error)
    cursor.execute("release savepoint letter")
    return fault


def _refusal(row: object, table: TargetTable, ambiguous: set[tuple[object, ...]]) -> tuple[str, str] | None:
    """Find what makes a row impossible to send at all."""
    if not isinstance(row, dict) or not row:
        return "22032", "the payload is not a JSON object any more"
    gone = [name for name in row if name not in table.columns]
    if gone:
        return "42703", f"the table has no column {', '.join(gone)}"
    if _key_of(row, table) in ambiguous:
        names = ", ".join(table.key)
        return "21000", f"another open dead letter has the same {names}; set the status of one to superseded"
    if any("\0" in value for value in row.values() if isinstance(value, str)):
        return "22021", "a text with the character NUL, which Postgres cannot store"
    return None


def first_line(error: psycopg2.Error) -> str:
    """Return the server's own one-line message, without the row that it quotes below."""
    return (error.diag.message_primary or str(error)).splitlines()[0]
