"""The description of the catalog compared with the catalog itself, and the statements that bring it there.

Only what is missing or different is stated, so that applying twice changes nothing the second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_ingest.governance import description
from dlt_ingest.yaml_files import read_mapping

Query = Callable[[str], list[dict[str, Any]]]

_DATASET = re.compile(r"@dlt\.table\(\s*name=\"([\w.]+)\"")
_PRIMARY_KEY = re.compile(r"^ +CONSTRAINT \w+ PRIMARY KEY \(([^)]+)\)", re.MULTILINE)
_KINDS = {"STREAMING_TABLE": "STREAMING TABLE", "MATERIALIZED_VIEW": "MATERIALIZED VIEW", "VIEW": "VIEW"}


@dataclass(frozen=True)
class Difference:
    """One thing that the catalog does not show as described.

    Attributes:
        what: Where, and what should be there.
        found: What is there; None for nothing.
        statement: SQL that fixes it; None where the code that makes the table has to.
    """

    what: str
    found: str | None
    statement: str | None


def differences(query: Query, catalog: str, keys: Mapping[str, tuple[str, ...]]) -> list[Difference]:
    """Compare information_schema with the description.

    Args:
        query: Runs one statement.
        catalog: The catalog.
        keys: Primary keys that must be there: schema and table -> columns; see `declared_keys` and `pipeline_keys`.
    """
    kinds = {
        f"{row['table_schema']}.{row['table_name']}": _KINDS.get(row["table_type"], "TABLE")
        for row in query(
            f"SELECT table_schema, table_name, table_type FROM {catalog}.information_schema.tables"
        )
    }
    return [
        *_schema_tags(query, catalog),
        *_column_tags(query, catalog, kinds),
        *_comments(query, catalog, kinds),
        *_keys(query, catalog, kinds, keys),
    ]


def declared_keys(models: Path, schema: str = "gold") -> dict[str, tuple[str, ...]]:
    """Read the primary keys that dbt's contracts declare from the models' YAML files.

    Returns:
        Schema and table -> columns of the key.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for path in sorted(models.rglob("*.yml")):
        for model in read_mapping(path).get("models", []):
            for constraint in model.get("constraints", []):
                if constraint["type"] == "primary_key":
                    keys[f"{schema}.{model['name']}"] = tuple(constraint["columns"])
            for column in model.get("columns", []):
                if any(c["type"] == "primary_key" for c in column.get("constraints", [])):
                    keys[f"{schema}.{model['name']}"] = (column["name"],)
    return keys


def pipeline_keys(transformations: Path) -> dict[str, tuple[str, ...]]:
    """Read the primary keys that the schemas of the pipeline's datasets declare, one dataset per file.

    Returns:
        Schema and table -> columns of the key.
    """
    keys: dict[str, tuple[str, ...]] = {}
    for path in sorted(transformations.glob("[!_]*.py")):
        text = path.read_text(encoding="utf-8")
        for columns in _PRIMARY_KEY.findall(text):
            [name] = _DATASET.findall(text)
            keys[name] = tuple(column.strip() for column in columns.split(","))
    return keys


def _schema_tags(query: Query, catalog: str) -> list[Difference]:
    rows = query(f"SELECT schema_name, tag_name, tag_value FROM {catalog}.information_schema.schema_tags")
    found = {(row["schema_name"], row["tag_name"]): row["tag_value"] for row in rows}
    return [
        Difference(
            f"schema {tag.schema}: tag {tag.tag} = {tag.value}",
            found.get((tag.schema, tag.tag)),
            f"ALTER SCHEMA {tag.schema} SET TAGS ('{tag.tag}' = '{tag.value}')",
        )
        for tag in description.SCHEMA_TAGS
        if found.get((tag.schema, tag.tag)) != tag.value
    ]


def _column_tags(query: Query, catalog: str, kinds: Mapping[str, str]) -> list[Difference]:
    rows = query(
        "SELECT schema_name, table_name, column_name, tag_name, tag_value "
        f"FROM {catalog}.information_schema.column_tags"
    )
    found = {
        (f"{row['schema_name']}.{row['table_name']}", row["column_name"].lower(), row["tag_name"]): row[
            "tag_value"
        ]
        for row in rows
    }
    return [
        Difference(
            f"{tag.table}.{tag.column}: tag {tag.tag} = {tag.value}",
            found.get((tag.table, tag.column.lower(), tag.tag)),
            _alter(kinds, tag.table, tag.column, f"SET TAGS ('{tag.tag}' = '{tag.value}')"),
        )
        for tag in description.COLUMN_TAGS
        if found.get((tag.table, tag.column.lower(), tag.tag)) != tag.value
    ]


def _comments(query: Query, catalog: str, kinds: Mapping[str, str]) -> list[Difference]:
    rows = query(
        f"SELECT table_schema, table_name, column_name, comment FROM {catalog}.information_schema.columns"
    )
    found = {
        (f"{row['table_schema']}.{row['table_name']}", row["column_name"].lower()): row["comment"]
        for row in rows
    }
    return [
        Difference(
            f"{wanted.table}.{wanted.column}: comment {wanted.comment!r}",
            found.get((wanted.table, wanted.column.lower())),
            _alter(kinds, wanted.table, wanted.column, f"COMMENT {_literal(wanted.comment)}"),
        )
        for wanted in description.COLUMN_COMMENTS
        if found.get((wanted.table, wanted.column.lower())) != wanted.comment
    ]


def _keys(
    query: Query, catalog: str, kinds: Mapping[str, str], keys: Mapping[str, tuple[str, ...]]
) -> list[Difference]:
    rows = query(
        "SELECT used.table_schema, used.table_name, used.column_name, used.ordinal_position "
        f"FROM {catalog}.information_schema.key_column_usage AS used "
        f"INNER JOIN {catalog}.information_schema.table_constraints AS made "
        "ON used.constraint_schema = made.constraint_schema AND used.constraint_name = made.constraint_name "
        "AND used.table_name = made.table_name "
        "WHERE made.constraint_type = 'PRIMARY KEY' ORDER BY 1, 2, 4"
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        table = f"{row['table_schema']}.{row['table_name']}"
        found[table] = (*found.get(table, ()), row["column_name"])
    return [
        Difference(
            f"{table}: primary key ({', '.join(key)})",
            ", ".join(found[table]) if table in found else None,
            None,
        )
        for table, key in sorted(keys.items())
        # A key belongs to a table; a model that is a view declares it for its readers only.
        if kinds.get(table, "VIEW") != "VIEW" and sorted(found.get(table, ())) != sorted(key)
    ]


def _alter(kinds: Mapping[str, str], table: str, column: str, change: str) -> str | None:
    """Return the statement for a column; None while the table does not exist."""
    return f"ALTER {kinds[table]} {table} ALTER COLUMN {column} {change}" if table in kinds else None


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
