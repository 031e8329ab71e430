"""Python values as literals of Spark SQL."""

from __future__ import annotations


def sql_text(value: str) -> str:
    """Quote a string as a Spark SQL literal (backslash escapes, the default of Spark and of Databricks)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
