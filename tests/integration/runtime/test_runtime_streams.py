"""Streaming queries with state: each update gives what Apache Spark gave, whatever ran or died between."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpus_of_streams import SCHEMA, STREAMS, files_of

ANSWERS: dict[str, list[list[str]]] = json.loads(
    (Path(__file__).parent / "spark_streams.json").read_text(encoding="utf-8")
)
ROOT = "/Volumes/main/bronze/files"


def _land(bench: Any, batch: str, at: int) -> None:
    for name, lines in files_of(batch).items():
        folder = bench.layout.local_path(f"{ROOT}/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        if lines:
            (folder / f"{at}.json").write_text(lines, encoding="utf-8")


def _code(streams: list[Any]) -> str:
    head = (
        "def frames():\n    names = ('feed', 'other')\n"
        f"    return [spark.readStream.schema('{SCHEMA}').json('{ROOT}/' + name) for name in names]\n"
    )
    return head + "".join(
        f"@dlt.table\ndef t{at}():\n    feed, other = frames()\n    return {stream.query}\n"
        for at, stream in enumerate(streams)
    )


def _shown(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as Spark writes them as JSON."""
    return sorted(
        json.dumps(
            {
                name: value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if hasattr(value, "strftime") else value
                for name, value in row.items()
                if value is not None
            },
            separators=(",", ":"),
        )
        for row in rows
    )


@pytest.mark.parametrize("feeds", sorted({s.batches for s in STREAMS}), ids=lambda batches: batches[0])
def test_each_update_gives_what_spark_gives(bench: Any, feeds: tuple[str, ...]) -> None:
    """Guards state across updates: doubles, windows, joins, late rows, and updates without new files."""
    streams = [stream for stream in STREAMS if stream.batches == feeds]
    bench.write(_code(streams))
    so_far: list[list[str]] = [[] for _ in streams]
    for at, batch in enumerate(feeds):
        _land(bench, batch, at)
        bench.good()
        for number, stream in enumerate(streams):
            so_far[number] = sorted([*so_far[number], *ANSWERS[stream.name][at]])
            assert _shown(bench.rows(f"bronze.t{number}")) == so_far[number], f"{stream.name}, update {at}"
