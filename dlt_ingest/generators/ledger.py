"""The generator's books: its state and its manifests, outside of landing, consistent with landing after any crash.

A batch is published in steps, each of which may be the last one that happens:

1. the batch is written aside, into the generator's own folder, and made durable;
2. `pending.json` promises it: the file name, the manifest and the state that follows;
3. the batch is renamed into landing;
4. its manifest is written, then the state;
5. `pending.json` is removed.

Until step 2 nothing has happened. From then on `settle` finishes the batch, whoever calls it and however
often: the file written aside is there only as long as the batch is not in landing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_ingest.errors import BusyError, DataFault
from dlt_ingest.generators.exclusive import exclusive
from dlt_ingest.generators.landing import publish
from foundation.whole_files import sync_folder, write_whole


@dataclass(frozen=True)
class Ledger:
    """The books of one generator.

    Attributes:
        folder: The generator's folder, on the file system of landing and not inside of it.
        landing: The landing folder.
    """

    folder: Path
    landing: Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other generators of this folder out.

        Raises:
            BusyError: If another process is generating.
        """
        self.landing.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(exclusive(self.folder, wait=False))
            except BlockingIOError:
                raise BusyError(
                    "Another generator is writing batches",
                    got=self.folder,
                    consequence="Nothing was generated, because both would continue the same history",
                    next_step="Wait until it ends, or stop it",
                ) from None
            yield

    def state(self) -> dict[str, Any] | None:
        """Read the state; None before the first batch.

        Raises:
            DataFault: If the file is not as it was written.
        """
        return self._read(self.folder / "state.json")

    def manifests(self) -> list[dict[str, Any]]:
        """Read the manifests of all batches, in order."""
        found = (self._read(path) for path in sorted((self.folder / "manifests").glob("*.json")))
        return [manifest for manifest in found if manifest is not None]

    def commit(self, content: bytes, manifest: dict[str, Any], state: dict[str, Any]) -> None:
        """Publish a batch: steps 1 to 5.

        Args:
            content: The batch.
            manifest: What is in it; its `file_name` is the name in landing.
            state: The state after it.

        Raises:
            InputError: If the name is taken in landing by another content.
        """
        _write(self._aside, content)
        promise = json.dumps({"manifest": manifest, "state": state}).encode()
        _write(self._pending, promise)
        self.settle()

    def settle(self) -> dict[str, Any] | None:
        """Finish a batch that was promised: steps 3 to 5.

        Returns:
            The manifest of the batch, or None if none was promised.
        """
        pending = self._read(self._pending)
        if pending is None:
            return None
        manifest: dict[str, Any] = pending["manifest"]
        if self._aside.exists():
            publish(self._aside, self.landing / manifest["file_name"])
        (self.folder / "manifests").mkdir(exist_ok=True)
        _write(self.folder / "manifests" / f"{manifest['batch_id']}.json", _pretty(manifest))
        _write(self.folder / "state.json", json.dumps(pending["state"]).encode())
        self._pending.unlink()
        sync_folder(self.folder)
        return manifest

    @property
    def _aside(self) -> Path:
        return self.folder / "pending.batch"

    @property
    def _pending(self) -> Path:
        return self.folder / "pending.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise DataFault(
                "A file of the generator is damaged",
                got=f"{path}: {error}",
                consequence="No batch was generated, because it could repeat order ids",
                next_step=f"Restore the file, or remove {self.folder} and what it generated in {self.landing}",
            ) from None
        return content


def _pretty(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    write_whole(path, content, durable=True, aside=f"{path.name}.part")
