"""Queries into staged parquet: the engine runs the query, the runtime decides what becomes of the rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import Schema
from pyspark.errors import PySparkException
from pyspark.sql.types import StructType

from local_workspace.delta.staging import StagedFile
from local_workspace.dlt_runtime.declare.registry import Expectation, Output
from local_workspace.dlt_runtime.declare.table_schema import DeclaredSchema, parse_table_schema
from local_workspace.dlt_runtime.own_columns import DROPPED
from local_workspace.dlt_runtime.plan.answers import columns_of_schema
from local_workspace.dlt_runtime.plan.plans import Relation
from local_workspace.dlt_runtime.plan.session import PipelineSession, data_frame, engine_schema
from local_workspace.dlt_runtime.refresh import expectations
from local_workspace.dlt_runtime.refresh.failures import query_failed
from local_workspace.errors import LocalWorkspaceError, PipelineCodeError

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass
class StagedRows:
    """The result of a query in the stage.

    Attributes:
        kept: The files to adopt.
        counts: Rows, dropped rows and counts by rule.
        all_files: Kept and dropped ones.
    """

    kept: list[StagedFile]
    counts: expectations.Counts
    all_files: list[Path] = field(default_factory=list)


def query_schema(relation: Relation, session: PipelineSession, flow: str) -> StructType:
    """Ask the engine for the schema of a query.

    Raises:
        QueryFailed: The query cannot be analysed, a column that does not exist for instance.
    """
    try:
        schema = data_frame(relation, session).schema
    except LocalWorkspaceError:
        raise
    except PySparkException as error:
        raise query_failed(
            f"The query of flow {flow} cannot be analysed", error, relation, session
        ) from error
    seen: set[str] = set()
    for column in schema.fields:
        if column.name.lower() in seen:
            raise PipelineCodeError(
                f"[COLUMN_ALREADY_EXISTS] The query of flow {flow} has two columns named {column.name}",
                next_step="Rename one of them",
            )
        seen.add(column.name.lower())
    return schema


def delta_schema(schema: StructType, flow: str, declared: DeclaredSchema | None = None) -> Schema:
    """Turn a query's schema into that of a Delta table: all columns nullable, as pipelines make them, but those declared.

    Raises:
        PipelineCodeError: A column has a type that a table cannot have.
    """
    content = _nullable(json.loads(schema.json()), flow, "")
    known = {} if declared is None else {field.name.lower(): field for field in declared.columns.fields}
    for column in content["fields"]:
        field = known.get(column["name"].lower())
        comment = None if field is None else field.metadata.get("comment")
        column["metadata"] = {"comment": comment} if comment else {}
        column["nullable"] = field is None or field.nullable
    return Schema.from_json(json.dumps(content))


def _nullable(kind: Any, flow: str, path: str) -> Any:
    if kind == "void":
        raise PipelineCodeError(
            f"Column {path} of flow {flow} has no type (it is always NULL)",
            next_step="Cast it: lit(None).cast('string')",
        )
    if isinstance(kind, str):
        if "interval" in kind:
            raise PipelineCodeError(
                f"Column {path} of flow {flow} is an interval, which a table cannot hold", got=kind
            )
        return "string" if kind.startswith(("varchar", "char")) else kind
    result = dict(kind)
    if kind["type"] == "struct":
        result["fields"] = [
            {
                "name": f["name"],
                "type": _nullable(f["type"], flow, f"{path}.{f['name']}".lstrip(".")),
                "nullable": True,
                "metadata": {},
            }
            for f in kind["fields"]
        ]
    elif kind["type"] == "array":
        result.update(elementType=_nullable(kind["elementType"], flow, path), containsNull=True)
    elif kind["type"] == "map":
        result.update(
            keyType=_nullable(kind["keyType"], flow, path),
            valueType=_nullable(kind["valueType"], flow, path),
            valueContainsNull=True,
        )
    return result


def declared_schema(output: Output) -> DeclaredSchema | None:
    """Read the `schema` argument of a dataset: a StructType or a DDL text.

    Raises:
        PipelineCodeError: It cannot be read.
    """
    if output.schema is None:
        return None
    if isinstance(output.schema, StructType):
        return DeclaredSchema(output.schema)
    if not isinstance(output.schema, str):
        raise PipelineCodeError(
            f"schema of {output.name} is neither a StructType nor a DDL text",
            got=f"{output.schema!r} at {output.location}",
        )
    return parse_table_schema(output.schema, f"{output.name} at {output.location}")


def conform(relation: Relation, actual: StructType, declared: StructType, flow: str) -> Relation:
    """Bring a query's columns into the order of the declared schema.

    Raises:
        PipelineCodeError: A column is missing, is not declared, or has another type.
    """
    found = {f.name.lower(): f for f in actual.fields}
    wanted = {f.name.lower(): f for f in declared.fields}
    differences = [f"column {f.name} is missing" for k, f in wanted.items() if k not in found]
    differences += [f"column {f.name} is not declared" for k, f in found.items() if k not in wanted]
    differences += [
        f"column {wanted[k].name} is {found[k].dataType.simpleString()}, declared {wanted[k].dataType.simpleString()}"
        for k in wanted
        if k in found and _bare(found[k].dataType) != _bare(wanted[k].dataType)
    ]
    if differences:
        raise PipelineCodeError(
            f"The query of flow {flow} does not give the schema that its table declares",
            got="; ".join(differences),
            consequence="Nothing of it was written",
            next_step="Correct the query or the schema argument",
        )
    result = Relation()
    result.project.input.CopyFrom(relation)
    for column in declared.fields:
        alias = result.project.expressions.add().alias
        alias.expr.unresolved_attribute.unparsed_identifier = "`" + column.name.replace("`", "``") + "`"
        alias.name.append(column.name)
    return result


def _bare(kind: Any) -> str:
    return str(kind.simpleString()).lower()


def stage_query(
    relation: Relation,
    rules: Sequence[Expectation],
    folder: Path,
    session: PipelineSession,
    flow: str,
    *,
    partition_by: Sequence[str] = (),
    small: bool = False,
) -> StagedRows:
    """Run a query into parquet files, with its expectations evaluated in the same pass.

    Args:
        relation: The query, with all sources replaced.
        rules: The expectations of the dataset.
        folder: Where the files go.
        session: A session that is not guarded.
        flow: For messages.
        partition_by: Partition columns of the table.
        small: One file is enough.

    Raises:
        QueryFailed: The engine failed to run the query.
    """
    masked = relation
    if rules:
        given = columns_of_schema(engine_schema(relation, session))
        masked = expectations.with_masks(relation, rules, given)
    frame: Any = data_frame(masked, session)
    if small:
        frame = frame.coalesce(1)
    split = [DROPPED] if any(rule.action == "drop" for rule in rules) else []
    writer = frame.drop(DROPPED).write if rules and not split else frame.write
    columns = [*split, *partition_by]
    if columns:
        writer = writer.partitionBy(*columns)
    try:
        writer.mode("overwrite").parquet(str(folder))
    except LocalWorkspaceError:
        raise
    except PySparkException as error:
        raise query_failed(f"The query of flow {flow} failed", error, masked, session) from error
    found = sorted(folder.rglob("*.parquet")) if folder.exists() else []
    staged = [(path, _partition_values(path.relative_to(folder))) for path in found]
    kept = [
        StagedFile.of(path, {c: values[c] for c in partition_by})
        for path, values in staged
        if values.get(DROPPED, "0") == "0"
    ]
    kept = [file for file in kept if file.rows]
    if rules:
        counts = expectations.count(found, rules)
    else:
        counts = expectations.Counts(sum(pq.read_metadata(p).num_rows for p in found), 0, ())
    return StagedRows(kept, counts, found)


def _partition_values(path: Path) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for part in path.parts[:-1]:
        name, _, value = part.partition("=")
        values[unquote(name)] = None if value == _NULL_PARTITION else unquote(value)
    return values
