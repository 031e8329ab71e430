"""Sending corrected rows back: they land as one more file, and take the way of every other record.

A replayed record carries `replay_of`, the quarantine id of the row that it corrects. So each row arrives in Silver once:

* A row whose correction is in Silver is skipped.
* A row whose correction waits in landing is skipped, too; after the ingest its outcome is known.
* The file's name is a hash of its content, so that the same replay again lands nothing.
* A correction that still breaks a rule is refused before it lands, by the rules themselves, run on the warehouse.

A correction that was quarantined all the same (it can be: a record is judged at its ingestion) stands for the same row, and
may be corrected again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dlt_ingest.errors import InputError
from dlt_ingest.generators.exclusive import exclusive
from dlt_ingest.generators.landing import land_bytes
from dlt_ingest.generators.records import encode_lines, encode_record
from dlt_ingest.quality.inline_rows import Query, judge
from dlt_ingest.quality.order_record import ORDER_FIELD_NAMES
from dlt_ingest.quality.reading import STANDARD, Reading
from dlt_ingest.quality.sql_literals import sql_text
from dlt_ingest.quarantine.corrections import Correction, parse_changes
from dlt_ingest.quarantine.rows import QuarantinedRow, Selection, origins_in_silver, read_rows

_FILE_PREFIX = "replay-"
_IDS_PER_STATEMENT = 500
_SHOWN = 5


@dataclass(frozen=True)
class ReplayOutcome:
    """The outcome of the rows of a replay.

    Attributes:
        file_name: The file in landing, or None if no row was left to send.
        sent: Quarantine ids of the rows in that file.
        already_in_silver: Quarantine ids skipped because a correction of theirs is in Silver.
        waiting_in_landing: Quarantine ids skipped because a correction of theirs is in landing, not yet ingested.
    """

    file_name: str | None
    sent: tuple[str, ...]
    already_in_silver: tuple[str, ...]
    waiting_in_landing: tuple[str, ...]


def replay_corrections(
    query: Query, landing: Path, corrections: Sequence[Correction], reading: Reading = STANDARD
) -> ReplayOutcome:
    """Send back rows that a person has corrected one by one.

    Args:
        query: Runs one statement on the warehouse.
        landing: The landing folder.
        corrections: The corrected rows; `read_corrections` reads them from a file.
        reading: How the records of this shop are read.

    Raises:
        InputError: If a row is not in quarantine, is given twice, or still breaks a rule. In that case, nothing has landed.
    """
    by_id: dict[str, Correction] = {}
    for correction in corrections:
        if correction.quarantine_id in by_id:
            raise _twice(correction.quarantine_id, correction.quarantine_id)
        by_id[correction.quarantine_id] = correction
    rows = _rows_by_ids(query, list(by_id))
    unknown = [quarantine_id for quarantine_id in by_id if quarantine_id not in rows]
    if unknown:
        raise InputError(
            f"{len(unknown)} of the rows are not in quarantine",
            got=", ".join(unknown[:_SHOWN]),
            consequence="Nothing was replayed",
            next_step="Correct the output of `orders quarantine show --format jsonl`; keep its quarantine_id",
        )
    by_origin: dict[str, str] = {}
    for quarantine_id in by_id:
        other = by_origin.setdefault(rows[quarantine_id].origin, quarantine_id)
        if other != quarantine_id:
            raise _twice(other, quarantine_id)
    return _send(query, landing, [(rows[i], correction.record) for i, correction in by_id.items()], reading)


def replay_selection(
    query: Query, landing: Path, selection: Selection, changes: Mapping[str, str], reading: Reading = STANDARD
) -> ReplayOutcome:
    """Send back rows with the same change made to all of them.

    Args:
        query: Runs one statement on the warehouse.
        landing: The landing folder.
        selection: Which rows; `open_only` makes no difference. Of a row and its failed correction the later is taken.
        changes: New values by field, as text.
        reading: How the records of this shop are read.

    Raises:
        InputError: If a field or value is not acceptable, no row is selected, an id fits several rows, or a row would still
            break a rule. In that case, nothing has landed.
    """
    values = parse_changes(changes)
    # Rows that were replayed are looked up, too: the same replay again skips, and that is not a mistake.
    rows = read_rows(query, replace(selection, open_only=False))
    for prefix in selection.ids:
        fitting = {row.quarantine_id for row in rows if row.quarantine_id.startswith(prefix)}
        if len(fitting) != 1:
            raise InputError(
                f"{len(fitting) or 'No'} rows in quarantine have an id that begins like this",
                got=prefix,
                consequence="Nothing was replayed",
                next_step="Give the full id from `orders quarantine show`",
            )
    if not rows:
        raise InputError(
            "No quarantined row is selected",
            consequence="Nothing was replayed",
            next_step="See `orders quarantine list`",
        )
    latest: dict[str, QuarantinedRow] = {}
    for row in rows:  # the latest come first
        latest.setdefault(row.origin, row)
    return _send(query, landing, [(row, {**row.record, **values}) for row in latest.values()], reading)


def _send(
    query: Query, landing: Path, rows: Sequence[tuple[QuarantinedRow, Mapping[str, Any]]], reading: Reading
) -> ReplayOutcome:
    # One replay looks at landing and writes into it before the next one looks.
    with exclusive(landing, wait=True):
        in_silver = _in_silver(query, [row.origin for row, _ in rows])
        waiting = _waiting(query, landing, [row.origin for row, _ in rows])
        ready = [(row, record) for row, record in rows if row.origin not in in_silver | waiting]
        _refuse_broken(query, ready, reading)
        sent = sorted(ready, key=lambda pair: pair[0].origin)
        file_name = None
        if sent:
            content = encode_lines(
                encode_record({**{name: record[name] for name in ORDER_FIELD_NAMES}, "replay_of": row.origin})
                for row, record in sent
            )
            file_name = f"{_FILE_PREFIX}{hashlib.sha256(content).hexdigest()[:16]}.json"
            land_bytes(content, file_name, landing)
    return ReplayOutcome(
        file_name=file_name,
        sent=tuple(row.quarantine_id for row, _ in sent),
        already_in_silver=tuple(row.quarantine_id for row, _ in rows if row.origin in in_silver),
        waiting_in_landing=tuple(row.quarantine_id for row, _ in rows if row.origin in waiting - in_silver),
    )


def _refuse_broken(
    query: Query, rows: Sequence[tuple[QuarantinedRow, Mapping[str, Any]]], reading: Reading
) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    judged = [(row.quarantine_id, {**record, "ingested_at": now}) for row, record in rows]
    verdicts = judge(query, judged, reading)
    broken = [(row.quarantine_id, failed) for (row, _), failed in zip(rows, verdicts, strict=True) if failed]
    if broken:
        shown = "; ".join(
            f"{quarantine_id[:12]}: {', '.join(failed)}" for quarantine_id, failed in broken[:_SHOWN]
        )
        raise InputError(
            f"{len(broken)} of {len(rows)} rows would still break a rule",
            got=shown + ("; ..." if len(broken) > _SHOWN else ""),
            consequence="Nothing was replayed",
            next_step="Correct these rows too, or omit them",
        )


def _rows_by_ids(query: Query, ids: Sequence[str]) -> dict[str, QuarantinedRow]:
    found = (
        row
        for start in range(0, len(ids), _IDS_PER_STATEMENT)
        for row in read_rows(query, Selection(ids=tuple(ids[start : start + _IDS_PER_STATEMENT])))
    )
    return {row.quarantine_id: row for row in found}


def _in_silver(query: Query, origins: Sequence[str]) -> set[str]:
    chunks = (
        origins[start : start + _IDS_PER_STATEMENT] for start in range(0, len(origins), _IDS_PER_STATEMENT)
    )
    return {origin for chunk in chunks for origin in origins_in_silver(query, chunk)}


def _waiting(query: Query, landing: Path, origins: Sequence[str]) -> set[str]:
    """Return which rows have a correction in landing that Bronze does not have yet."""
    wanted = set(origins)
    landed: set[tuple[str, str]] = set()
    for path in landing.glob(f"{_FILE_PREFIX}*.json"):
        # Not splitlines(), which ends a line at U+2028 and the like, inside of a value.
        for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
            origin = json.loads(line).get("replay_of")
            if origin in wanted:
                landed.add((origin, path.stem))
    if not landed:
        return set()
    batches = ", ".join(sql_text(batch) for batch in sorted({batch for _, batch in landed}))
    statement = (
        "SELECT DISTINCT replay_of, batch_id FROM bronze.orders "
        f"WHERE replay_of IS NOT NULL AND batch_id IN ({batches})"
    )
    ingested = {(row["replay_of"], row["batch_id"]) for row in query(statement)}
    return {origin for origin, batch in landed if (origin, batch) not in ingested}


def _twice(first: str, second: str) -> InputError:
    same = first == second
    return InputError(
        "A row is given twice"
        if same
        else "Two rows are for the same record: one is the failed correction of the other",
        got=first if same else f"{first} and {second}",
        consequence="Nothing was replayed",
        next_step="Keep one of them",
    )
