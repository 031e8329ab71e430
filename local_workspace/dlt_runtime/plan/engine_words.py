"""What the engine says of a query, in the words that the author of a pipeline knows.

Databricks' error classes, and types of SQL instead of the engine's own.
"""

from __future__ import annotations

import re

from pyspark.errors import PySparkException

from local_workspace.sql import sql_error

_TYPES = {
    "Int8": "TINYINT", "Int16": "SMALLINT", "Int32": "INT", "Int64": "BIGINT", "Float32": "FLOAT", "Float64": "DOUBLE",
    "Utf8": "STRING", "LargeUtf8": "STRING", "Utf8View": "STRING", "Boolean": "BOOLEAN", "Date32": "DATE",
    "Binary": "BINARY", "LargeBinary": "BINARY", "BinaryView": "BINARY", "Null": "VOID",
}  # fmt: skip
#: Names of the engine's parts and layers, which say nothing about the query.
_LAYERS = re.compile(
    r"(?:External|Execution|Internal|Arrow|Parquet|Schema|Object Store|Resources exhausted|Cast|Compute|Optimizer rule \S+)"
    r"(?: error| failed)?: |This feature is not implemented: |Error during planning: |invalid argument: |not supported: "
    r"|DataFusion error: |Invalid argument error: |\bcaused by\b|error (?:in|from) (?:DataFusion|Arrow)[^:]*: ",
    re.IGNORECASE,
)
_PLEA = re.compile(r"\s*This issue was likely caused by a bug in DataFusion's code.*", re.DOTALL)
_OBJECT_NAME = re.compile(r"ObjectName\(\[((?:Identifier\(\"[^\"]*\"\)(?:, )?)+)\]\)")
_CANDIDATES = re.compile(
    r"\s*(?:You might need to add explicit type casts\.)?\s*Candidate functions:.*", re.DOTALL
)
_OWN_COLUMN = re.compile(r"#\d+\b")


def told(error: PySparkException) -> str:
    """Give the cause of a failed query as one line without the engine's vocabulary."""
    text = (error.getMessage() or str(error)).strip()
    found = sql_error.from_engine(text)
    if found.error_class != "ENGINE_ERROR":
        return f"[{found.error_class}] {plain(found.message)}"
    return plain(text)


def plain(text: str) -> str:
    """Take names of the engine's layers, its types and its pleas for a report out of a text."""
    text = _CANDIDATES.sub("", _PLEA.sub("", text.split("\n\nJVM stacktrace", maxsplit=1)[0]))
    text = _OBJECT_NAME.sub(lambda m: "`" + ".".join(re.findall(r'"([^"]*)"', m[1])) + "`", text)
    text = _OWN_COLUMN.sub("", _LAYERS.sub("", text)).replace("DataFusion", "the engine")
    text = re.sub(r"\b(" + "|".join(_TYPES) + r")\b", lambda m: _TYPES[m[1]], text)
    text = re.sub(r"\bDecimal128\((\d+), (\d+)\)", r"DECIMAL(\1,\2)", text)
    text = re.sub(r"\bTimestamp\([^()]*(?:\([^()]*\))?[^()]*\)", "TIMESTAMP", text)
    return " ".join(text.split())[:600].rstrip(". ")
