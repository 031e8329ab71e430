"""One customer's lines out of the files of landing, and their events out of the generator's history.

Each file is written aside and renamed over the old one. Its name stays even if no line is left: Auto Loader takes a
name once, and the content that was there before can no longer be landed under it by mistake.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlt_ingest.generators.ledger import Ledger
from dlt_ingest.governance.compressed_files import packed, unpacked
from dlt_ingest.governance.customer_records import CustomerId
from foundation.whole_files import write_whole

_ASIDE = ".erasing"
_AFTER_AN_END = re.compile(rb"(?<=\n)|(?<=\r)(?!\n)")
Announce = Callable[[Path, int, int], None]


def landing_lines(landing: Path, customer: CustomerId) -> dict[Path, int]:
    """Count the customer's records by file; a file without any is omitted."""
    counts = {
        path: sum(customer.without_records(line)[1] for line in _lines(_content(path)))
        for path in _files(landing)
    }
    return {path: count for path, count in counts.items() if count}


def erase_from_landing(landing: Path, customer: CustomerId, announce: Announce) -> int:
    """Remove the customer's records from all files of landing; return how many there were.

    Args:
        landing: The landing folder.
        customer: Whose records.
        announce: Called with path, bytes and time (ns) of each new file before it takes the old one's place.
    """
    for path in landing.rglob(f".*{_ASIDE}"):
        path.unlink()
    removed = landing_lines(landing, customer)
    for path in removed:
        kept = b"".join(customer.without_records(line)[0] for line in _lines(_content(path)))
        content = packed(path, kept)
        announce(path, len(content), path.stat().st_mtime_ns)
        replace_file(path, content)
    return sum(removed.values())


def generator_entries(folder: Path, customer: CustomerId) -> int:
    """Count what the generator still knows of the customer: lines held back, events to come, the customer itself."""
    state = _read(folder / "state.json")
    return 0 if state is None else _entries(state) - _entries(_without(state, customer))


def erase_from_generator(folder: Path, landing: Path, customer: CustomerId) -> int:
    """Remove the customer from the generator's history, so that no later batch brings them back.

    Call it with the ledger locked and settled. The manifests of the batches say afterwards what their files hold now.
    """
    found = generator_entries(folder, customer)
    state = _read(folder / "state.json")
    if state is not None and found:
        replace_file(folder / "state.json", json.dumps(_without(state, customer)).encode())
    for manifest in Ledger(folder, landing).manifests():
        path = landing / manifest["file_name"]
        content = _content(path) if path.exists() else None
        if content is None or hashlib.sha256(content).hexdigest() == manifest["sha256"]:
            continue
        lines = sum(1 for line in _lines(content) if line.strip())
        manifest |= {
            "erased": manifest.get("erased", 0) + manifest["records"] - lines,
            "records": lines,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        text = json.dumps(manifest, indent=2) + "\n"
        replace_file(folder / "manifests" / f"{manifest['batch_id']}.json", text.encode())
    return found


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step, with the same mode and time; after a crash it is the old one or the new one."""
    write_whole(path, content, durable=True, aside=f".{path.name}{_ASIDE}", like=path.stat())


def _files(landing: Path) -> Iterator[Path]:
    """Yield every file but the unfinished ones of `orders land`: Auto Loader takes files of any name."""
    for path in sorted(landing.rglob("*")) if landing.is_dir() else []:
        if path.is_file() and not path.name.startswith("."):
            yield path


def _content(path: Path) -> bytes:
    # A broken archive was never ingested: no line of it can be read, so none is found in it.
    return unpacked(path) or b""


def _lines(content: bytes) -> list[bytes]:
    r"""Cut a file at `\n`, `\r\n` and `\r`, as the reader of landing does; each line keeps its end."""
    return _AFTER_AN_END.split(content)


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_bytes()) if path.exists() else None


def _without(state: dict[str, Any], customer: CustomerId) -> dict[str, Any]:
    history = state["history"]
    return {
        **state,
        "held_back": [e for e in state["held_back"] if not customer.owns_line(e["line"].encode())],
        "history": {
            **history,
            "due": [event for event in history["due"] if event[3]["customer_id"] != customer.value],
            # The generator's own way to write an id; see generators/history.py.
            "active": [number for number in history["active"] if f"C-{number:07d}" != customer.value],
        },
    }


def _entries(state: dict[str, Any]) -> int:
    return len(state["held_back"]) + len(state["history"]["due"]) + len(state["history"]["active"])
