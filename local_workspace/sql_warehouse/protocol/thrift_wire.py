"""Small pieces of the Thrift protocol: statuses, parameters, column descriptions."""

from __future__ import annotations

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes as t

from local_workspace.sql.parameters import Parameter
from local_workspace.sql_warehouse.arrow_types import type_name


def ok() -> t.TStatus:
    """Return the call went well; how the statement went is said elsewhere."""
    return t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)


def failed(error: BaseException) -> t.TStatus:
    """Return the call itself failed."""
    return t.TStatus(
        statusCode=t.TStatusCode.ERROR_STATUS,
        errorMessage=str(error),
        displayMessage=str(error),
        sqlState=sqlstate(error),
    )


def invalid_session() -> t.TStatus:
    """Return the handle names no session."""
    return t.TStatus(
        statusCode=t.TStatusCode.INVALID_HANDLE_STATUS,
        errorMessage="The session no longer exists: the warehouse restarted, or the session was idle for too long.",
    )


def invalid_operation() -> t.TStatus:
    """Return the handle names no statement."""
    return t.TStatus(
        statusCode=t.TStatusCode.INVALID_HANDLE_STATUS, errorMessage="The operation no longer exists."
    )


def error_status(error: BaseException) -> t.TGetOperationStatusResp:
    """Return the statement failed; clients show ``displayMessage``."""
    return t.TGetOperationStatusResp(
        status=ok(),
        operationState=t.TOperationState.ERROR_STATE,
        sqlState=sqlstate(error),
        errorMessage=str(error),
        displayMessage=str(error),
    )


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of an error, ``XX000`` if it has none."""
    return getattr(error, "sqlstate", "XX000")


def parameter(p: t.TSparkParameter) -> Parameter:
    """Return a bound value."""
    return Parameter(
        name=p.name,
        type=p.type or "STRING",
        value=p.value.stringValue if p.value is not None else None,
        items=tuple(argument(a) for a in p.arguments or []),
    )


def argument(a: t.TSparkParameterValueArg) -> Parameter:
    """Return an element of a bound array or map."""
    return Parameter(
        name=None,
        type=a.type or "STRING",
        value=a.value,
        items=tuple(argument(inner) for inner in a.arguments or []),
    )


def column(field: pa.Field, index: int) -> t.TColumnDesc:
    """Return the description of a result's column; decimals carry precision and scale, which the connector insists on."""
    name = type_name(field.type)
    qualifiers = None
    if pa.types.is_decimal(field.type):
        qualifiers = t.TTypeQualifiers(
            qualifiers={
                "precision": t.TTypeQualifierValue(i32Value=field.type.precision),
                "scale": t.TTypeQualifierValue(i32Value=field.type.scale),
            }
        )
    entry = t.TPrimitiveTypeEntry(type=t.TTypeId._NAMES_TO_VALUES[f"{name}_TYPE"], typeQualifiers=qualifiers)
    return t.TColumnDesc(
        columnName=field.name,
        typeDesc=t.TTypeDesc(types=[t.TTypeEntry(primitiveEntry=entry)]),
        position=index + 1,
        comment="",
    )
