"""What a query asks of Auto Loader: the options, checked by name.

An option that is documented but changes nothing here is listed in the plan's event; one that would change the
rows and is not served is refused; an unknown one is a mistake of the author and is refused too. Names and
defaults: Databricks' documentation, page "Auto Loader options".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyspark.sql.types import StructType, _parse_datatype_json_string

from local_workspace.dlt_runtime.auto_loader.types import parse_columns
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql.tokens import quote_identifier

EVOLUTION_MODES = ("addNewColumns", "rescue", "failOnNewColumns", "none")

#: Options that tune Databricks' way of finding and reading files, and have no effect on which rows arrive.
IGNORED: dict[str, str] = {
    "cloudfiles.schemalocation": "the runtime keeps schemas, as pipelines do",
    "cloudfiles.usenotifications": "new files are found by listing",
    "cloudfiles.usemanagedfileevents": "new files are found by listing",
    "cloudfiles.useincrementallisting": "new files are found by listing",
    "cloudfiles.backfillinterval": "every update lists all files",
    "cloudfiles.maxfileage": "files do not age out",
    "cloudfiles.maxbytespertrigger": "an update takes all new files",
    "cloudfiles.fetchparallelism": "files are local",
    "cloudfiles.region": "files are local",
    "cloudfiles.validateoptions": "options are always checked",
    "cloudfiles.resourcetag": "there are no cloud resources",
    "cloudfiles.includeexistingfiles": "the first update takes the files that are there",
    "recursivefilelookup": "folders are always read recursively, as Auto Loader does",
    "maxfilespertrigger": "use cloudFiles.maxFilesPerTrigger",
    "samplingratio": "all new files are sampled",
    "mode": "PERMISSIVE is the only mode",
    "allowsinglequotes": "texts in single quotes are taken, as by default",
}
REFUSED: dict[str, str] = {
    "cloudfiles.allowoverwrites": "Land the new content as a new file",
    "cloudfiles.cleansource": "Move or delete processed files after the update",
    "badrecordspath": "Unreadable lines are kept in _corrupt_record",
    "allowcomments": "Write JSON without comments",
    "dateformat": "Read the column as STRING and use to_date in the next step",
    "timestampformat": "Read the column as STRING and use to_timestamp in the next step",
    "timestampntzformat": "Read the column as STRING and use to_timestamp_ntz in the next step",
    "primitivesasstring": "Leave cloudFiles.inferColumnTypes out: then all columns are STRING",
    "encoding": "Land files as UTF-8",
    "charset": "Land files as UTF-8",
    "linesep": "End lines with a line feed",
    "modifiedafter": "Land only the files that are wanted",
    "modifiedbefore": "Land only the files that are wanted",
}


@dataclass(frozen=True)
class AutoLoaderOptions:
    """The options of one `cloudFiles` read.

    Args:
        path: The folder or glob, as written.
        infer_types: Whether types are inferred; else every column that has no hint is STRING.
        hints: Types for columns, whether or not the files have them yet.
        schema: The whole schema, if the query gave one.
        case_sensitive: Whether a key that differs from a column in case only is rescued, or fills it.
        nested, partitions: As in :class:`FileOptions`, for reads that are no Auto Loader's.
        max_files: Files a batch, or None for all that are new.
        ignored: Options that were given and have no effect here, with the reason.
    """

    path: str
    infer_types: bool = False
    hints: Mapping[str, pa.DataType] = field(default_factory=dict)
    schema: Mapping[str, pa.DataType] | None = None
    evolution: str = "addNewColumns"
    rescued_column: str | None = "_rescued_data"
    max_files: int | None = None
    glob: str | None = None
    nested: bool = True
    partitions: bool = True
    multi_line: bool = False
    case_sensitive: bool = True
    ignored: Mapping[str, str] = field(default_factory=dict)


def parse_options(source: Any, flow: str) -> AutoLoaderOptions:
    """Read the options of a `DataSource` message of a query plan.

    Raises:
        NotSupported: The format or an option is not served.
        PipelineCodeError: An option is unknown or has a value that is not allowed.
    """
    given = {key.lower(): value for key, value in source.options.items()}
    paths = list(source.paths)
    if given.get("path"):
        paths.append(given["path"])
    given.pop("path", None)
    where = f"flow {flow}, cloudFiles"
    if len(paths) != 1:
        raise PipelineCodeError(f"{where}: load() takes one path", got=repr(paths))
    file_format = given.pop("cloudfiles.format", None)
    if file_format is None:
        raise PipelineCodeError(f"{where}: option cloudFiles.format is missing", allowed='"json"')
    if file_format.lower() != "json":
        raise NotSupported(f"cloudFiles.format {file_format!r}", "Land JSON lines", got=where)
    schema = parse_columns(ddl_of(source.schema), f"{where}: schema") if source.schema else None
    hints = given.pop("cloudfiles.schemahints", "")
    evolution = given.pop("cloudfiles.schemaevolutionmode", "none" if schema is not None else "addNewColumns")
    modes = {mode.lower(): mode for mode in EVOLUTION_MODES}
    if evolution.lower() not in modes:
        if evolution.lower() == "addnewcolumnswithtypewidening":
            raise NotSupported(f"cloudFiles.schemaEvolutionMode {evolution}", "Use addNewColumns", got=where)
        raise PipelineCodeError(
            f"{where}: cloudFiles.schemaEvolutionMode", got=evolution, allowed=", ".join(EVOLUTION_MODES)
        )
    evolution = modes[evolution.lower()]
    if schema is not None and evolution == "addNewColumns":
        raise PipelineCodeError(
            f"{where}: schemaEvolutionMode addNewColumns and an explicit schema exclude each other",
            next_step="Use cloudFiles.schemaHints instead of schema()",
        )
    default_rescued = None if schema is not None else "_rescued_data"
    options = AutoLoaderOptions(
        path=paths[0],
        infer_types=_flag(given.pop("cloudfiles.infercolumntypes", "false"), f"{where}: inferColumnTypes"),
        hints=parse_columns(hints, f"{where}: schemaHints") if hints.strip() else {},
        schema=schema,
        evolution=evolution,
        rescued_column=given.pop(
            "rescueddatacolumn", given.pop("cloudfiles.rescueddatacolumn", default_rescued)
        ),
        max_files=_count(given.pop("cloudfiles.maxfilespertrigger", None), f"{where}: maxFilesPerTrigger"),
        glob=given.pop("pathglobfilter", None),
        multi_line=_flag(given.pop("multiline", "false"), f"{where}: multiLine"),
        case_sensitive=_flag(given.pop("readercasesensitive", "true"), f"{where}: readerCaseSensitive"),
        ignored={key: IGNORED[key] for key in given if key in IGNORED},
    )
    _check_rest(given, where)
    return options


def _check_rest(given: dict[str, str], where: str) -> None:
    for key, value in given.items():
        if key in {"cloudfiles.allowoverwrites", "allowcomments"} and value.lower() == "false":
            continue
        if key == "allowsinglequotes" and value.lower() != "true":
            raise NotSupported("allowSingleQuotes=false", "Leave it out: single quotes are read", got=where)
        if key == "cloudfiles.cleansource" and value.upper() == "OFF":
            continue
        if key == "cloudfiles.includeexistingfiles" and value.lower() == "false":
            raise NotSupported(
                "cloudFiles.includeExistingFiles=false", "Move the files that are not wanted away", got=where
            )
        if key == "mode" and value.upper() != "PERMISSIVE":
            raise NotSupported(f"JSON mode {value}", "Drop rows with an expectation", got=where)
        if key in {"encoding", "charset"} and value.upper().replace("-", "") == "UTF8":
            continue
        if key in IGNORED:
            continue
        if key in REFUSED:
            raise NotSupported(f"Option {key} of cloudFiles", REFUSED[key], got=f"{value!r}, {where}")
        raise PipelineCodeError(
            f"{where}: unknown option {key}", got=repr(value), next_step="Correct its name or leave it out"
        )


def ddl_of(schema: str) -> str:
    """Return the columns of a schema as DDL; a schema may be given as Spark's JSON, too."""
    if not schema.lstrip().startswith("{"):
        return schema
    parsed = _parse_datatype_json_string(schema)
    assert isinstance(parsed, StructType)  # noqa: S101
    return ", ".join(f"{quote_identifier(f.name)} {f.dataType.simpleString()}" for f in parsed.fields)


def _flag(value: str, where: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise PipelineCodeError(where, got=repr(value), allowed="true or false")
    return value.lower() == "true"


def _count(value: str | None, where: str) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or int(value) < 1:
        raise PipelineCodeError(where, got=repr(value), allowed="a whole number from 1 on")
    return int(value)
