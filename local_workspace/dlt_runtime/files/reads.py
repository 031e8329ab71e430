"""What a query asks of files, however it asks: `cloudFiles`, `read_files`, `spark.read` or `spark.readStream`.

Formats and options: Databricks' documentation, pages "Auto Loader options" and "read_files", and Apache Spark's pages of
the data sources. An option that would change the rows and is not served is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from local_workspace.dlt_runtime.auto_loader import options as json_options
from local_workspace.dlt_runtime.auto_loader.options import AutoLoaderOptions
from local_workspace.dlt_runtime.auto_loader.types import parse_columns
from local_workspace.errors import NotSupported, PipelineCodeError

#: Formats whose files the runtime reads itself, row by row as Spark would.
FORMATS = frozenset({"json", "csv", "text", "parquet", "binaryfile", "orc", "avro"})
#: Streams of other systems: their way out.
_BROKERS = {
    "kafka": "Kafka",
    "kinesis": "Kinesis",
    "eventhubs": "Event Hubs",
    "pubsub": "Pub/Sub",
    "pulsar": "Pulsar",
}
STAND_IN = (
    "There is no broker on a laptop; let files stand in: write messages as JSON lines with the columns that the query uses "
    "into a folder, and where spark.conf.get('stand_in', '') names it, read them by "
    "spark.readStream.schema('key STRING, value STRING, timestamp TIMESTAMP').json(spark.conf.get('stand_in'))"
)

#: Options that change nothing about the rows here.
_IDLE = frozenset({
    "mergeschema", "recursivefilelookup", "samplingratio", "maxfilespertrigger", "maxbytespertrigger", "latestfirst",
    "ignorecorruptfiles", "ignoremissingfiles", "preferdate", "enforceschema", "maxcolumns", "maxcharspercolumn",
    "locale", "inputbuffersize", "filenameonly", "maxfileage", "samplesize", "enabledatetimeparsingfallback",
})  # fmt: skip
_UNESCAPED = "STOP_AT_DELIMITER"
CSV = frozenset({
    "header", "sep", "delimiter", "quote", "escape", "multiline", "inferschema", "nullvalue", "emptyvalue", "comment",
    "ignoreleadingwhitespace", "ignoretrailingwhitespace", "mode", "columnnameofcorruptrecord", "skiprows", "linesep",
    "dateformat", "timestampformat", "timestampntzformat", "nanvalue", "positiveinf", "negativeinf", "encoding", "charset",
})  # fmt: skip
#: Options that would change the rows, whatever the format.
UNSERVED = {
    "modifiedafter": "Land only the files that are wanted",
    "modifiedbefore": "Land only the files that are wanted",
    "basepath": "Read the folder of the base path, and filter by its columns",
    "badrecordspath": "Leave it out: unreadable files are set aside, and what does not fit is rescued or NULL",
    "readercasesensitive": "Leave it out",
    "singlevariantcolumn": "Leave it out, and use parse_json",
    "datetimerebasemode": "Leave it out: dates are those of the proleptic Gregorian calendar",
    "int96rebasemode": "Leave it out: dates are those of the proleptic Gregorian calendar",
    "rowtag": "Convert the files to JSON lines",
    "ignoreextension": "Leave it out",
    "avroschema": "Leave it out: the files say their columns",
    "linesep": "End lines with a line feed",
}
_TEXT = frozenset({"wholetext"})


@dataclass(frozen=True)
class FileRead:
    """One read of files in a query.

    Attributes:
        format: In lower case, `cloudFiles` resolved to the format of its files.
        path: As written.
        options: By lower-case name, those of cloudFiles without their prefix.
        schema: DDL or JSON, or empty.
        streaming: Whether each file is taken once.
        loader: Whether it infers and rescues as Auto Loader does, rather than as `spark.read`.
    """

    format: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""
    streaming: bool = False
    loader: bool = False

    @property
    def name(self) -> str:
        """A table name that stands for the read in SQL text."""
        content = json.dumps(
            [self.format, self.path, dict(sorted(self.options.items())), self.schema, self.loader]
        )
        return f"__files_{hashlib.sha256(content.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class FileOptions:
    """The options of a read, checked.

    Attributes:
        settings: Options of the format itself, by lower-case name.
        hints: Types of single columns; `schema` is that of all, or None.
        evolution: What happens with columns that come later: `addNewColumns`, `rescue` or `none`.
        rescued_column: Receives what does not fit, or None.
        nested: Whether files in folders below, other than partitions, are read; partitions: whether folders named
            `column=value` give columns.
    """

    format: str
    path: str
    settings: Mapping[str, str] = field(default_factory=dict)
    infer_types: bool = False
    hints: Mapping[str, pa.DataType] = field(default_factory=dict)
    schema: Mapping[str, pa.DataType] | None = None
    evolution: str = "none"
    rescued_column: str | None = None
    max_files: int | None = None
    glob: str | None = None
    nested: bool = True
    partitions: bool = True
    ignored: Mapping[str, str] = field(default_factory=dict)


def is_file_source(source: Any) -> bool:
    """Say whether a `DataSource` message reads files with the runtime's own readers."""
    return source.format.lower() in FORMATS | {"cloudfiles"}


def check_source(source: Any, where: str) -> None:
    """Refuse what is neither files nor Delta.

    Raises:
        NotSupported: It is a message broker or another system.
    """
    kind = source.format.lower()
    if kind in _BROKERS:
        raise NotSupported(
            f"format({source.format!r}), a stream of {_BROKERS[kind]} (flow {where})",
            STAND_IN,
        )
    if kind in {"jdbc", "snowflake", "postgresql", "mysql", "sqlserver", "mongodb", "bigquery", "redshift"}:
        raise NotSupported(
            f"format({source.format!r}) (flow {where})",
            "Export the table to files and read them, or read a workspace table instead",
        )


def read_of(read: Any, flow: str) -> FileRead:
    """Describe a `Read` message of a query plan.

    Raises:
        PipelineCodeError: It names no path, or several.
    """
    source = read.data_source
    options = {key.lower(): value for key, value in source.options.items()}
    paths = [*source.paths, *([options.pop("path")] if options.get("path") else [])]
    if len(paths) != 1:
        raise PipelineCodeError(f"A read of files in flow {flow} takes one path", got=repr(paths))
    loader = source.format.lower() == "cloudfiles"
    kind = options.pop("cloudfiles.format", "") if loader else source.format
    if loader and not kind:
        raise PipelineCodeError(
            f"flow {flow}, cloudFiles: option cloudFiles.format is missing", allowed='"csv", "json", ...'
        )
    return FileRead(kind.lower(), paths[0], options, source.schema, bool(read.is_streaming), loader)


def no_delta_folder(path: str, where: str) -> PipelineCodeError:
    """Make the error for a path that a query reads as a Delta table and that is none."""
    return PipelineCodeError(
        f"[PATH_NOT_FOUND] {path} is not a Delta table ({where})",
        got="no folder, or a folder without _delta_log",
        next_step=f"Correct the path, or name the folder to read instead: --volume {path}=FOLDER",
    )


def check(read: FileRead, flow: str) -> FileOptions | AutoLoaderOptions:
    """Check the options of a read; JSON has the options of Auto Loader.

    Raises:
        NotSupported: A format or an option is not served.
        PipelineCodeError: An option is unknown or has a value that is not allowed.
    """
    where = f"flow {flow}, {read.format} files of {read.path}"
    if read.format not in FORMATS:
        raise NotSupported(
            f"cloudFiles.format {read.format!r} ({where})", f"Supported: {', '.join(sorted(FORMATS))}"
        )
    given = {key.removeprefix("cloudfiles."): value for key, value in read.options.items()}
    if read.format == "json":
        return _json(read, given, flow)
    ignored = {
        key: "it has no effect here"
        for key in given
        if key in _IDLE or f"cloudfiles.{key}" in json_options.IGNORED
    }
    schema = parse_columns(json_options.ddl_of(read.schema), f"{where}: schema") if read.schema else None
    infer = read.loader and _flag(given.pop("infercolumntypes", "false"), where)
    infer = _flag(given.pop("inferschema", "false"), where) or infer
    hints = given.pop("schemahints", "")
    evolution = given.pop("schemaevolutionmode", None)
    default = "addNewColumns" if read.loader and schema is None else "none"
    rescued = given.pop("rescueddatacolumn", "_rescued_data" if read.loader and schema is None else None)
    known = {"csv": CSV, "text": _TEXT}.get(read.format, frozenset())
    limit = given.pop("maxfilespertrigger", None)
    glob = given.pop("pathglobfilter", given.pop("filenamepattern", None))
    settings = {key: value for key, value in given.items() if key in known}
    if given.pop("unescapedquotehandling", _UNESCAPED).upper() != _UNESCAPED:
        raise NotSupported(
            f"Option unescapedQuoteHandling ({where})", f"Omit it: {_UNESCAPED} is what Spark does without it"
        )
    unknown = [key for key in given if key not in known and key not in ignored]
    for key in unknown:
        if f"cloudfiles.{key}" in read.options:
            raise NotSupported(
                f"Option cloudFiles.{key} ({where})", "Correct its name or omit it", got=repr(given[key])
            )
        if key in UNSERVED:
            raise NotSupported(f"Option {key} ({where})", UNSERVED[key], got=repr(given[key]))
        # Spark takes any option for what it knows of the format, and leaves out the others without a word.
        ignored[key] = f"{read.format} files have no such option"
    mode = settings.get("mode", "PERMISSIVE").upper()
    if mode not in {"PERMISSIVE", "DROPMALFORMED", "FAILFAST"}:
        raise PipelineCodeError(
            f"mode ({where})", got=repr(settings["mode"]), allowed="PERMISSIVE, DROPMALFORMED, FAILFAST"
        )
    if read.format in {"text", "binaryfile"}:
        rescued, evolution = None, "none"
    return FileOptions(
        read.format, read.path, settings, infer, parse_columns(hints, f"{where}: schemaHints") if hints.strip() else {},
        schema, evolution or default, rescued or None, int(limit) if limit and limit.isdigit() else None, glob,
        read.loader or _is_recursive(given), read.loader or not _is_recursive(given), ignored,
    )  # fmt: skip


#: Options of JSON files that cloudFiles has by its own prefix.
_LOADER = frozenset({
    "infercolumntypes", "schemahints", "schemaevolutionmode", "maxfilespertrigger", "schemalocation", "usenotifications",
    "includeexistingfiles", "backfillinterval", "allowoverwrites", "cleansource", "validateoptions", "maxbytespertrigger",
    "useincrementallisting", "partitioncolumns", "maxfileage", "usemanagedfileevents", "region", "fetchparallelism",
    "resourcetag", "rescueddatacolumn",
})  # fmt: skip


#: What is often written on JSON files, and says nothing about them.
_IDLE_OF_JSON = (
    "mergeschema", "header", "inferschema", "sep", "delimiter", "quote", "escape", "ignorecorruptfiles",
    "ignoremissingfiles",
    "latestfirst", "locale", "samplesize", "unescapedquotehandling",
)  # fmt: skip


@dataclass(frozen=True)
class _JsonSource:
    """What `parse_options` of Auto Loader reads of a plan."""

    options: Mapping[str, str]
    paths: tuple[str, ...]
    schema: str


def _json(read: FileRead, given: dict[str, str], flow: str) -> AutoLoaderOptions:
    if not read.loader:
        # As spark.read does: types are inferred, nothing is rescued, a column that is not known is omitted.
        evolution = {} if read.schema else {"schemaevolutionmode": "none"}
        given = {"infercolumntypes": "true", **evolution, **given}
        given.pop("inferschema", None)
    for key in (*_IDLE_OF_JSON, *([] if read.loader else ["schemalocation"])):
        given.pop(key, None)
    options = {f"cloudFiles.{key}" if key in _LOADER else key: value for key, value in given.items()}
    source = _JsonSource({"cloudFiles.format": "json", **options}, (read.path,), read.schema)
    found = replace(
        json_options.parse_options(source, flow),
        nested=read.loader or _is_recursive(given),
        partitions=read.loader or not _is_recursive(given),
    )
    return found if read.loader or "rescueddatacolumn" in given else replace(found, rescued_column=None)


def _is_recursive(given: Mapping[str, str]) -> bool:
    return given.get("recursivefilelookup", "false").lower() == "true"


def _flag(value: str, where: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise PipelineCodeError(where, got=repr(value), allowed="true or false")
    return value.lower() == "true"
