"""CSV files are read as Apache Spark reads them: schema, values, and what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from local_workspace.dlt_runtime.files.reads import FileRead
from local_workspace.dlt_runtime.files.static import stage_static
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.errors import LocalWorkspaceError
from local_workspace.layout import WorkspaceLayout

sys.path.insert(0, str(Path(__file__).parent))
from corpus_of_csv import CASES, Csv, shown

ANSWERS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "spark_csv.json").read_text(encoding="utf-8")
)
_TYPES = {
    "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "float": "float", "double": "double",
    "string": "string", "bool": "boolean", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamp",
    "timestamp[us]": "timestamp_ntz",
}  # fmt: skip


def _read(case: Csv, folder: Path) -> tuple[dict[str, str], list[list[Any]]]:
    (folder / "raw").mkdir()
    (folder / "raw" / "file.csv").write_bytes(case.text.encode())
    paths = Paths(WorkspaceLayout(folder), {"/Volumes/main/raw": folder / "raw"})
    options = {key.lower(): value for key, value in case.options.items()}
    read = FileRead("csv", "/Volumes/main/raw/file.csv", options, case.schema)
    staged = stage_static(read, paths, folder / "stage", "test")
    types = {
        name: _TYPES.get(str(kind), str(kind).replace("decimal128", "decimal").replace(", ", ","))
        for name, kind in staged.columns.items()
    }
    table = pq.read_table(staged.folder)
    return types, [[shown(row[name]) for name in types] for row in table.to_pylist()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_is_read_as_spark_reads_it(case: Csv, tmp_path: Path) -> None:
    """Guards every option and edge of the table against a reader that differs from Spark without a word."""
    answer = ANSWERS[case.name]
    if case.refused or "error" in answer:
        with pytest.raises(LocalWorkspaceError, match=case.refused or "FAILFAST|with EEE"):
            _read(case, tmp_path)
        return
    types, rows = _read(case, tmp_path)
    assert types == answer["schema"]
    assert rows == answer["rows"]
