"""All rows of a workspace and of its Postgres, without what two equal runs differ in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Any

import psycopg2
from deltalake import DeltaTable
from psycopg2 import sql

from local_workspace.catalog import Catalog
from local_workspace.layout import WorkspaceLayout

# These count and time the runs themselves: a run that was killed and repeated is two runs, rightly.
ABOUT_RUNS = re.compile(
    r"^(ops\.|gold\.(fct_(pipeline_runs|dataset_runs|dbt_\w+|run_costs|freshness|export_deliveries|quality_rules|lineage)$"
    r"|int_operations__|int_marts__progressed$|exp_pipeline|exp_dbt)|metrics\.(exp_pipeline|exp_dbt|_?export_|schema_|delivery))"
)
_IDENTIFIER = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b|\b[0-9a-f]{32,64}\b")
_MOMENT = re.compile(r"\b(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?")

Rows = Counter[str]


def all_rows(layout: WorkspaceLayout, postgres: str, since: datetime) -> dict[str, Rows]:
    """Return the rows of every table, each as text, with how often it is there.

    Args:
        layout: The workspace.
        postgres: libpq URI of its metrics database.
        since: Moments from here on are those of the run, and count as equal; so do ids that were drawn.
    """
    return {**dict(_delta_rows(layout, since)), **dict(_postgres_rows(postgres, since))}


def differences(expected: dict[str, Rows], got: dict[str, Rows]) -> list[str]:
    """Say in which tables the rows differ, with one row of each side."""
    found = []
    for name in sorted({*expected, *got}):
        missing = expected.get(name, Counter()) - got.get(name, Counter())
        extra = got.get(name, Counter()) - expected.get(name, Counter())
        if missing or extra:
            found.append(
                f"{name}: {missing.total()} rows missing, {extra.total()} too many; "
                f"missing {next(iter(missing), None)}; too many {next(iter(extra), None)}"
            )
    return found


def _delta_rows(layout: WorkspaceLayout, since: datetime) -> Iterator[tuple[str, Rows]]:
    catalog = Catalog.open(layout)
    try:
        for info in catalog.catalogs():
            for table in catalog.tables(info.catalog):
                name = f"{table.name.schema}.{table.name.table}".lower()
                if table.location is not None and not ABOUT_RUNS.match(name):
                    found = DeltaTable(str(table.location)).to_pyarrow_table().to_pylist()
                    yield name, Counter(_text(row, since) for row in found)
    finally:
        catalog.close()


def _postgres_rows(uri: str, since: datetime) -> Iterator[tuple[str, Rows]]:
    connection = psycopg2.connect(uri, connect_timeout=20)
    try:
        with connection.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'")
            cursor.execute(
                "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
                " and table_schema not in ('pg_catalog', 'information_schema') order by 1, 2"
            )
            for schema, table in cursor.fetchall():
                name = f"{schema}.{table}"
                if ABOUT_RUNS.match(name):
                    continue
                cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, table)))
                columns = [column.name for column in cursor.description or ()]
                rows = (dict(zip(columns, row, strict=True)) for row in cursor.fetchall())
                yield f"postgres {name}", Counter(_text(row, since) for row in rows)
    finally:
        connection.close()


def _text(row: dict[str, Any], since: datetime) -> str:
    return json.dumps(
        {name: _plain(value, since) for name, value in row.items()}, sort_keys=True, default=str
    )


def _plain(value: Any, since: datetime) -> Any:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return "<now>" if moment >= since else moment.isoformat()
    if isinstance(value, dict):
        return {name: _plain(part, since) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part, since) for part in value]
    if isinstance(value, str):
        today = since.date().isoformat()
        return _MOMENT.sub(lambda m: "<now>" if m[1] >= today else m[0], _IDENTIFIER.sub("<id>", value))
    return str(value) if not isinstance(value, (int, bool, type(None), date)) else value
