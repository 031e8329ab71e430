"""Preview of landing a file: the real pipeline loads it in a temporary workspace."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from dlt_ingest.quality.order_record import (
    BRONZE_COLUMNS,
    ORDER_FIELD_NAMES,
    REQUIRED_FIELDS,
    TEXT_FIELDS,
)
from dlt_ingest.quality.rules import RULES
from local_workspace.catalog import Catalog
from local_workspace.dlt_runtime.refresh.update import run_update
from local_workspace.dlt_runtime.spec import PipelineSpec
from local_workspace.engine.sail import SailEngine
from local_workspace.layout import WorkspaceLayout
from orders.landing.conversion import Source, write_batches
from orders.landing.field_map import FieldMap
from orders.landing.suggestion import suggested_names

_DATASETS = {"bronze.orders": "bronze", "silver.orders": "silver", "silver.orders_quarantine": "quarantine"}
_EXAMPLES = 3


@dataclass(frozen=True)
class FoundField:
    """One field of the files.

    Attributes:
        name: Its name in the files.
        meaning: What it becomes.
        values: Records with a value for it.
    """

    name: str
    meaning: str
    values: int


@dataclass(frozen=True)
class BrokenRule:
    """A rule that records would break.

    Attributes:
        rule: Its name.
        records: Records that break it, alone or with others.
        meaning: The rule in words.
        examples: Order ids of some of them, or the line if the id cannot be read.
    """

    rule: str
    records: int
    meaning: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """The result of landing files.

    Attributes:
        records: Records in the files.
        accepted: Records that would be in silver.orders.
        fields: The fields in the files.
        missing: Required fields without a value in any record.
        suggestions: Missing field -> the name in the files that probably means it.
        broken: The rules that records would break, most frequent first.
        faults: Files that cannot be read, with the reason.
    """

    records: int
    accepted: int
    fields: tuple[FoundField, ...]
    missing: tuple[str, ...]
    suggestions: Mapping[str, str]
    broken: tuple[BrokenRule, ...]
    faults: tuple[str, ...]


def profile(
    sources: Sequence[Source], field_map: FieldMap | None, spec: PipelineSpec, landing_path: str
) -> Profile:
    """Return what would happen to files, before anything lands.

    Args:
        sources: The files.
        field_map: Which column of delimited text is which field.
        spec: The pipeline that would load them.
        landing_path: The folder that it reads, as a `/Volumes/...` path.

    Raises:
        InputError: A file cannot be converted.
        EngineError: The engine did not start.
    """
    with tempfile.TemporaryDirectory(prefix="orders-profile-") as folder:
        layout = WorkspaceLayout(Path(folder) / "workspace")
        catalog = Catalog.open(layout)
        catalog.create_catalog(spec.catalog)
        for schema in ("bronze", "silver", "gold", "ops"):
            catalog.create_schema(spec.catalog, schema)
        landing = layout.local_path(landing_path)
        landing.mkdir(parents=True)
        for number, source in enumerate(sources):
            if source.is_converted:
                for batch in write_batches(source, field_map, Path(folder) / str(number)):
                    batch.rename(landing / f"{number}-{batch.name}")
            else:
                _place(source.path, landing / f"{number}-{source.path.name}")
        with SailEngine.start(layout) as engine:
            result = run_update(
                replace(spec, event_log=None),
                layout=layout,
                catalog=catalog,
                engine_address=engine.address,
                refresh=list(_DATASETS),
            )
        faults = [f"{fault.path}: {fault.fault}" for fault in result.faults]
        if not result.ok:
            faults.append(str(result.error))
        with _tables(layout, spec.catalog) as connection:
            return _profile(connection, tuple(faults))


def _place(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


@contextlib.contextmanager
def _tables(layout: WorkspaceLayout, catalog: str) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(config={"threads": 2})
    try:
        for name, alias in _DATASETS.items():
            schema, table = name.split(".")
            path = layout.table_path(catalog, schema, table)
            if (path / "_delta_log").is_dir():
                connection.register(alias, DeltaTable(str(path)).to_pyarrow_dataset())
        yield connection
    finally:
        connection.close()


def _profile(connection: duckdb.DuckDBPyConnection, faults: tuple[str, ...]) -> Profile:
    present = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    if present != set(_DATASETS.values()):
        return Profile(0, 0, (), (), {}, (), faults)
    filled = _values(connection)
    rescued = dict(_counts(connection, "SELECT unnest(json_keys(_rescued_data)) FROM bronze"))
    rescued.pop("_file_path", None)
    own = {column.name for column in BRONZE_COLUMNS} - set(ORDER_FIELD_NAMES)
    extra = {name: n for name, n in filled.items() if name not in own and name not in ORDER_FIELD_NAMES and n}
    missing = tuple(field.name for field in REQUIRED_FIELDS if not filled[field.name])
    known = [FoundField(name, "a field of the order record", filled[name]) for name in ORDER_FIELD_NAMES]
    return Profile(
        records=_one(connection, "SELECT count(*) FROM bronze"),
        accepted=_one(connection, "SELECT count(*) FROM silver"),
        fields=(
            *(field for field in known if field.values),
            *(
                FoundField(name, "not in the order record: a column of Bronze only", n)
                for name, n in extra.items()
            ),
            *(FoundField(name, "does not fit: kept in _rescued_data", n) for name, n in rescued.items()),
        ),
        missing=missing,
        suggestions=suggested_names([*extra, *rescued], missing),
        broken=_broken(connection),
        faults=faults,
    )


def _values(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count the values of each column of Bronze; for a field that is typed from its text, count the texts."""
    names = [row[0] for row in connection.execute("DESCRIBE bronze").fetchall()]
    counts = ", ".join(f"count({_quoted(name)})" for name in names)
    row = connection.execute(f"SELECT {counts} FROM bronze").fetchone() or ()
    filled = dict(zip(names, row, strict=True))
    for column in TEXT_FIELDS:
        filled[column.name.removesuffix("_text")] = filled[column.name]
    return filled


def _broken(connection: duckdb.DuckDBPyConnection) -> tuple[BrokenRule, ...]:
    meanings = {rule.name: rule.meaning for rule in RULES}
    shown = "coalesce(order_id, left(_corrupt_record, 60), '(no order_id)')"
    rows = connection.execute(
        f"SELECT rule, count(*), list(DISTINCT {shown} ORDER BY {shown})[1:{_EXAMPLES}] "
        f"FROM (SELECT unnest(failed_rules) AS rule, order_id, _corrupt_record FROM quarantine) "
        "GROUP BY rule ORDER BY count(*) DESC, rule"
    ).fetchall()
    return tuple(BrokenRule(rule, n, meanings.get(rule, ""), tuple(examples)) for rule, n, examples in rows)


def _counts(connection: duckdb.DuckDBPyConnection, names: str) -> list[tuple[str, int]]:
    query = f"SELECT name, count(*) FROM ({names}) AS t(name) GROUP BY name ORDER BY count(*) DESC, name"
    return [(name, n) for name, n in connection.execute(query).fetchall()]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
