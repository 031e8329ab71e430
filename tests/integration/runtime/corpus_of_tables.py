"""Pipelines over parquet, ORC and Delta folders: files that others have written, by every way to read them."""

from __future__ import annotations

import io
import tempfile
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from corpus_of_files import RAW, Case
from deltalake import DeltaTable, write_deltalake
from pyarrow import orc

_NOON = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)
_FIRST: list[dict[str, Any]] = [
    {
        "id": 1,
        "price": Decimal("1.50"),
        "at": _NOON,
        "day": date(2026, 1, 5),
        "tags": ["a"],
        "place": {"x": 1},
    },
    {"id": 2, "price": None, "at": _NOON, "day": None, "tags": [], "place": None},
]
_LATER: list[dict[str, Any]] = [
    {"id": 3, "price": Decimal("7.00"), "at": None, "day": None, "tags": None, "place": None}
]
_SCHEMA = pa.schema({
    "id": pa.int32(), "price": pa.decimal128(9, 2), "at": pa.timestamp("us", "UTC"), "day": pa.date32(),
    "tags": pa.list_(pa.string()), "place": pa.struct({"x": pa.int64()}),
})  # fmt: skip


def _file(kind: str, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    (pq.write_table if kind == "parquet" else orc.write_table)(table, sink)
    return sink.getvalue()


def _columnar(kind: str) -> Case:
    """Every way to read a format whose files say their types; the second file brings a column to Auto Loader."""
    first, later = pa.Table.from_pylist(_FIRST, _SCHEMA), pa.Table.from_pylist(_LATER, _SCHEMA)
    red = later.append_column("color", pa.array(["red"]))
    every = [*_FIRST, *_LATER]
    ids = [{"id": row["id"]} for row in every]
    loaded = [
        {
            **row,
            "_rescued_data": None,
            "file": f"{1 if row['id'] < 3 else 2}.{kind}",
            "color": None if row["id"] < 3 else "red",
        }
        for row in every
    ]
    return Case(
        f"{kind} files by every door",
        {
            "a.py": f"""
import dlt
from pyspark.sql.functions import col

@dlt.table
def loaded():
    return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "{kind}").load("{RAW}/a")
            .select("*", col("_metadata.file_name").alias("file")))

@dlt.table
def batch():
    return spark.read.format("{kind}").load("{RAW}/b")

@dlt.table
def short():
    return spark.read.{kind}("{RAW}/b").where("id > 1").select("id")

@dlt.table
def stream():
    return spark.readStream.schema("id INT, price DECIMAL(9,2)").{kind}("{RAW}/b")

@dlt.table
def given():
    return spark.read.schema("id BIGINT, other STRING").{kind}("{RAW}/b")
""",
            "b.sql": f"""
CREATE OR REFRESH STREAMING TABLE sql_stream AS SELECT id FROM STREAM read_files('{RAW}/b', format => '{kind}');
CREATE OR REFRESH MATERIALIZED VIEW sql_batch AS SELECT max(id) AS m FROM read_files('{RAW}/b', format => '{kind}');
CREATE OR REFRESH MATERIALIZED VIEW sql_path AS SELECT id, place.x AS x FROM {kind}.`{RAW}/b`;
CREATE OR REFRESH STREAMING TABLE sql_older AS SELECT id FROM cloud_files('{RAW}/b', '{kind}');
""",
        },
        {f"{folder}/1.{kind}": _file(kind, first) for folder in "ab"},
        {
            "loaded": loaded,
            "batch": every,
            "short": [{"id": 2}, {"id": 3}],
            "stream": [{"id": row["id"], "price": row["price"]} for row in every],
            "given": [{"id": row["id"], "other": None} for row in every],
            "sql_stream": ids,
            "sql_batch": [{"m": 3}],
            "sql_path": [{"id": 1, "x": 1}, {"id": 2, "x": None}, {"id": 3, "x": None}],
            "sql_older": ids,
        },
        {f"a/2.{kind}": _file(kind, red), f"b/2.{kind}": _file(kind, later)},
    )


def _delta(*, delete: bool = False) -> tuple[dict[str, str | bytes], dict[str, str | bytes]]:
    """Give the files of a Delta table of two rows, and those after a third row came or the first one went."""
    with tempfile.TemporaryDirectory() as folder:
        write_deltalake(folder, pa.table({"id": pa.array([1, 2], pa.int32())}))
        before = _files(Path(folder))
        if delete:
            DeltaTable(folder).delete("id = 1")
        else:
            write_deltalake(folder, pa.table({"id": pa.array([3], pa.int32())}), mode="append")
        return before, _files(Path(folder))


def _files(folder: Path) -> dict[str, str | bytes]:
    return {f"d/{p.relative_to(folder)}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _one(name: str, expression: str, **more: Any) -> Case:
    return Case(name, {"a.py": f"import dlt\n@dlt.table\ndef t():\n    return {expression}\n"}, **more)


_APPENDED, _DELETED = _delta(), _delta(delete=True)
_STREAM = 'spark.readStream.format("delta")'
_IDS = [{"id": 1}, {"id": 2}, {"id": 3}]

TABLES = [
    _columnar("parquet"),
    _columnar("orc"),
    Case(
        "Delta folders by path, batch and stream",
        {
            "a.py": f"""
import dlt

@dlt.table
def batch():
    return spark.read.format("delta").load("{RAW}/d")

@dlt.table
def stream():
    return {_STREAM}.load("{RAW}/d")

@dlt.table
def named():
    return spark.read.table("delta.`{RAW}/d`").where("id > 1")

@dlt.table
def named_stream():
    return spark.readStream.table("delta.`{RAW}/d`").selectExpr("id * 2 AS twice")

@dlt.table
def text():
    return spark.sql("SELECT count(*) AS n FROM delta.`{RAW}/d`")

@dlt.table
def older():
    return spark.read.format("delta").option("versionAsOf", 0).load("{RAW}/d")
""",
            "b.sql": f"""
CREATE OR REFRESH STREAMING TABLE sql_stream AS SELECT id FROM STREAM delta.`{RAW}/d`;
CREATE OR REFRESH STREAMING TABLE sql_older AS SELECT id FROM STREAM(delta.`{RAW}/d`) WHERE id > 1;
CREATE OR REFRESH MATERIALIZED VIEW sql_batch AS SELECT max(id) AS m FROM delta.`{RAW}/d`;
""",
        },
        _APPENDED[0],
        {
            "batch": _IDS,
            "stream": _IDS,
            "named": _IDS[1:],
            "named_stream": [{"twice": 2}, {"twice": 4}, {"twice": 6}],
            "text": [{"n": 3}],
            "older": _IDS[:2],
            "sql_stream": _IDS,
            "sql_older": _IDS[1:],
            "sql_batch": [{"m": 3}],
        },
        _APPENDED[1],
    ),
    _one(
        "a stream of a Delta folder whose deletes are skipped",
        f'{_STREAM}.option("skipChangeCommits", "true").load("{RAW}/d")',
        data=_DELETED[0],
        later=_DELETED[1],
        rows={"t": _IDS[:2]},
    ),
    _one(
        "no Delta folder",
        f'spark.read.format("delta").load("{RAW}/d")',
        refused=("PATH_NOT_FOUND", "--volume"),
    ),
    _one(
        "no Delta folder to stream",
        f'{_STREAM}.load("{RAW}/d")',
        refused=("PATH_NOT_FOUND", "a.py:2", "--volume"),
    ),
    _one(
        "no Delta folder in SQL text",
        f'spark.sql("SELECT * FROM delta.`{RAW}/d`")',
        refused=("PATH_NOT_FOUND", "--volume"),
    ),
    *(
        _one(
            f"a file that is no {kind}",
            f'spark.read.{kind}("{RAW}/d")',
            data={f"d/1.{kind}": b"something else"},
            refused=(f"1.{kind}", "cannot be read", "Repair or remove"),
        )
        for kind in ("parquet", "orc")
    ),
]
