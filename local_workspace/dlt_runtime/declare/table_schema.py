"""The `schema` argument of a dataset, written as DDL: columns, types, comments and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlglot
from pyspark.sql import types as t
from pyspark.sql.types import DataType, StructField, StructType
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local_workspace.dlt_runtime.declare.declared_keys import (
    PRIMARY,
    DeclaredKey,
    check_keys,
    key_of_column,
    key_of_table,
)
from local_workspace.errors import NotSupported, PipelineCodeError


@dataclass(frozen=True)
class DeclaredSchema:
    """What a dataset declares of its table.

    Attributes:
        columns: With comments in their metadata; one that is not nullable must have a value in every row.
        keys: Informational.
    """

    columns: StructType
    keys: tuple[DeclaredKey, ...] = ()


def parse_table_schema(ddl: str, where: str) -> DeclaredSchema:
    """Read `name TYPE [NOT NULL] [COMMENT 'text'] [key], ..., [CONSTRAINT name] PRIMARY KEY | FOREIGN KEY ...`.

    Raises:
        PipelineCodeError: The text is not a list of columns, or a key does not fit them.
        NotSupported: It has CHECK constraints, generated columns or masks.
    """
    try:
        tree = sqlglot.parse_one(f"CREATE TABLE t ({ddl})", read="databricks")
    except SqlglotError as error:
        raise PipelineCodeError(
            f"The schema of {where} cannot be read", got=f"{ddl.strip()!r}: {str(error).splitlines()[0]}"
        ) from error
    definitions = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    fields: list[StructField] = []
    keys: list[DeclaredKey] = []
    for definition in definitions:
        if isinstance(definition, exp.Identifier | exp.Column) or (
            isinstance(definition, exp.ColumnDef) and definition.kind is None
        ):
            raise PipelineCodeError(f"The schema of {where} has no type for {definition.name}", got=repr(ddl))
        if not isinstance(definition, exp.ColumnDef):
            keys.append(key_of_table(definition, where))
            continue
        metadata = {}
        nullable = True
        for constraint in definition.constraints:
            kind = constraint.kind
            if isinstance(kind, exp.CommentColumnConstraint):
                metadata["comment"] = kind.this.name
            elif isinstance(kind, exp.NotNullColumnConstraint):
                nullable = bool(kind.args.get("allow_null"))
            elif key := key_of_column(definition.name, constraint):
                keys.append(key)
            else:
                raise NotSupported(
                    f"{constraint.sql('databricks')} in the schema of {where}",
                    "Declare columns, types, NOT NULL, comments, primary and foreign keys only",
                )
        fields.append(StructField(definition.name, spark_type(_kind(definition), where), nullable, metadata))
    if not fields:
        raise PipelineCodeError(f"The schema of {where} has no columns", got=repr(ddl))
    check_keys(keys, [field.name for field in fields], where)
    # Columns of a primary key are NOT NULL without saying so.
    required = {column.lower() for key in keys if key.type == PRIMARY for column in key.columns}
    for field in fields:
        field.nullable = field.nullable and field.name.lower() not in required
    return DeclaredSchema(StructType(fields), tuple(keys))


def _kind(definition: exp.ColumnDef) -> exp.DataType:
    assert definition.kind is not None  # noqa: S101  (checked above)
    return definition.kind


def spark_type(kind: exp.DataType, where: str) -> DataType:
    """Turn a parsed type into Spark's.

    Raises:
        PipelineCodeError: The type is unknown.
    """
    this = kind.this
    names = exp.DataType.Type
    if this == names.STRUCT:
        return StructType([StructField(d.name, spark_type(d.kind, where), True) for d in kind.expressions])
    if this == names.ARRAY:
        return t.ArrayType(spark_type(kind.expressions[0], where), True)
    if this == names.MAP:
        return t.MapType(spark_type(kind.expressions[0], where), spark_type(kind.expressions[1], where), True)
    if this in (names.DECIMAL, names.BIGDECIMAL):
        numbers = [int(p.name) for p in kind.expressions]
        return t.DecimalType(*(numbers + [10, 0][len(numbers) :])[:2])
    simple: dict[Any, DataType] = {
        names.TEXT: t.StringType(),
        names.VARCHAR: t.StringType(),
        names.CHAR: t.StringType(),
        names.BOOLEAN: t.BooleanType(),
        names.TINYINT: t.ByteType(),
        names.SMALLINT: t.ShortType(),
        names.INT: t.IntegerType(),
        names.BIGINT: t.LongType(),
        names.FLOAT: t.FloatType(),
        names.DOUBLE: t.DoubleType(),
        names.DATE: t.DateType(),
        names.BINARY: t.BinaryType(),
        names.VARBINARY: t.BinaryType(),
        names.TIMESTAMP: t.TimestampType(),
        names.TIMESTAMPTZ: t.TimestampType(),
        names.TIMESTAMPLTZ: t.TimestampType(),
        names.TIMESTAMPNTZ: t.TimestampNTZType(),
    }
    if this not in simple:
        raise PipelineCodeError(f"Type {kind.sql('databricks')} in the schema of {where} is not known")
    return simple[this]
