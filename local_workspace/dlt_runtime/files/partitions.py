"""Folders named `column=value`, whose values Spark gives as columns of the files below them.

Rules: Apache Spark's page "Parquet Files", section "Partition Discovery", and Databricks' page "Configure schema inference
and evolution in Auto Loader", section "How does Auto Loader infer partition columns?". A folder belongs to the layout if it
lies below the path that is read, or below what matches its wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from local_workspace.dlt_runtime.auto_loader.listing import InputFile
from local_workspace.dlt_runtime.auto_loader.moments import day_of_text, moment_of_text
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.rows import HIDDEN_METADATA, Columns
from local_workspace.dlt_runtime.auto_loader.stage import Staged
from local_workspace.dlt_runtime.files.reads import FileOptions
from local_workspace.errors import DataFault

#: How Spark writes the folder of a NULL.
_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE, _DECIMAL = re.compile(r"-?\d{1,18}"), re.compile(r"-?\d*\.\d+|-?\d+\.\d*")


def with_partitions(
    staged: Staged, options: FileOptions | AutoLoaderOptions, files: list[InputFile], stored: Columns | None
) -> Staged:
    """Add the columns of partition folders to staged rows.

    Args:
        staged: The rows, each with the metadata of its file.
        options: Of the read.
        files: Those that were staged.
        stored: The schema that the source had before this batch.

    Raises:
        DataFault: Files lie in folders of different columns, or a value does not fit the type that its column has.
    """
    if not options.partitions:
        return staged
    values = {file.uri: _values(file.uri, options.path) for file in files}
    names = {tuple(found) for found in values.values()}
    if names in (set(), {()}):
        return staged
    if len(names) > 1:
        raise DataFault(
            f"[CONFLICTING_PARTITION_COLUMN_NAMES] Folders of {options.path} are named for different columns",
            got="; ".join(sorted(", ".join(group) or "none" for group in names)),
            consequence="Which columns the files have is not certain, so no row was loaded",
            next_step="Read each layout by a path of its own",
        )
    columns = dict(staged.columns)
    by_column: dict[str, dict[str, Any]] = {}
    for name in names.pop():
        texts = [found[name] for found in values.values()]
        known = _type_given(name, options, stored)
        kind = known or _inferred(texts, typed=options.infer_types or not _is_loader(options))
        column = next((c for c in columns if c.lower() == name.lower()), name)
        columns[column] = kind
        by_column[column] = {
            uri: _value(found[name], kind, name, options.path) for uri, found in values.items()
        }
    for part in sorted(staged.folder.glob("*.parquet")):
        _add_columns(part, columns, by_column)
    added = [name for name in columns if stored is not None and name not in stored]
    return replace(staged, columns=columns, added=added)


def _add_columns(part: Path, columns: Columns, by_column: Mapping[str, Mapping[str, Any]]) -> None:
    """Give the rows of a staged file the values of its folders, in the places that `columns` say."""
    table = pq.read_table(part)
    paths = table[HIDDEN_METADATA].combine_chunks().field("file_path").to_pylist()
    for column, by_file in by_column.items():
        field = pa.field(column, columns[column])
        given = pa.array([by_file[path] for path in paths], field.type)
        place = table.schema.get_field_index(column)
        table = (
            table.set_column(place, field, given)
            if place >= 0
            else table.add_column(list(columns).index(column), field, given)
        )
    pq.write_table(table, part, compression="snappy", store_schema=False)


def folders_below(uri: str, path: str) -> list[str]:
    """List the folders between what a path names, or its wildcards match, and a file."""
    depth = path.removeprefix("dbfs:").rstrip("/").count("/")
    return uri.removeprefix("dbfs:").split("/")[depth + 1 : -1]


def read_files(options: FileOptions | AutoLoaderOptions, files: list[InputFile]) -> list[InputFile]:
    """Leave out what `spark.read` does not look at: files in folders that are no partitions."""
    if options.nested:
        return files
    return [file for file in files if all("=" in folder for folder in folders_below(file.uri, options.path))]


def _is_loader(options: FileOptions | AutoLoaderOptions) -> bool:
    return options.rescued_column is not None


def _values(uri: str, path: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for folder in folders_below(uri, path):
        name, equals, value = folder.partition("=")
        if equals and name:
            found[unquote(name)] = None if value == _NULL else unquote(value)
    return found


def _type_given(
    name: str, options: FileOptions | AutoLoaderOptions, stored: Columns | None
) -> pa.DataType | None:
    for columns in (options.schema, options.hints, stored):
        given: Mapping[str, Any] = columns or {}
        for column, kind in given.items():
            if column.lower() == name.lower():
                return kind
    return None


def _inferred(texts: list[str | None], *, typed: bool) -> pa.DataType:
    given = [text for text in texts if text is not None]
    if not typed or not given:
        return pa.string()
    if all(_WHOLE.fullmatch(text) for text in given):
        wide = any(not -(1 << 31) <= int(text) < 1 << 31 for text in given)
        return pa.int64() if wide else pa.int32()
    if all(_WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text) for text in given):
        return pa.float64()
    if all(re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text) and day_of_text(text) for text in given):
        return pa.date32()
    if all(re.match(r"\d{4}-\d{1,2}-\d{1,2}[ T]\d", text) and moment_of_text(text) for text in given):
        return pa.timestamp("us", "UTC")
    return pa.string()


def _value(text: str | None, kind: pa.DataType, name: str, path: str) -> Any:
    if text is None or pa.types.is_string(kind):
        return text
    try:
        value: Any
        if pa.types.is_date(kind):
            value = day_of_text(text)
        elif pa.types.is_timestamp(kind):
            value = moment_of_text(text)
        else:
            value = pa.scalar(text).cast(kind).as_py()
    except (pa.ArrowException, ValueError):
        value = None
    if value is None:
        raise DataFault(
            f"A folder of {path} does not fit the type of its column",
            got=f"{name}={text}, {name} is {kind}",
            consequence="No row of these files was loaded",
            next_step="Give the type of the column in the schema or in cloudFiles.schemaHints, or rename the folder",
        )
    return value
