"""Guards when models are fitted again, and that the tables which dbt makes are those that the step writes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from dlt_ingest.predictions.step import _recent, _rounded
from dlt_ingest.predictions.tables import SCHEMAS, PredictionTables

MACRO = Path(__file__).parents[3] / "macros" / "predictions" / "prediction_columns.sql"


@pytest.mark.parametrize(
    ("fitted", "due"),
    [
        (None, True),
        (date(2026, 3, 1), True),
        (date(2026, 3, 2), False),
        (date(2026, 3, 8), False),
        (date(2026, 3, 9), True),
    ],
)
def test_a_fit_is_due_after_a_week_of_orders_or_when_orders_went_away(fitted: date | None, due: bool):
    """Guards the schedule: by days of orders and not by the clock, so that a rerun changes nothing."""
    assert (_recent(fitted, date(2026, 3, 8)) is None) is due


def test_cents_are_rounded_half_away_from_zero():
    """Guards amounts: as everywhere in the marts."""
    assert _rounded(2.675) == Decimal("2.68")
    assert _rounded(0.12345, 4) == Decimal("0.1235")


def test_dbt_makes_the_tables_that_are_written():
    """Guards the two lists of columns: a difference would be found by a refused INSERT, on Databricks."""
    names = {"decimal128(18, 2)": "money", "timestamp[us, tz=UTC]": "'timestamp'", "date32[day]": "'date'"}
    names |= {"string": "'string'", "int32": "'int'", "int64": "'bigint'"}
    names |= {f"decimal128(18, {digits})": f"'decimal(18,{digits})'" for digits in (4, 6)}
    parts = re.split(r"'(\w+)': \[", MACRO.read_text(encoding="utf-8"))
    declared = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert declared.keys() == SCHEMAS.keys()
    for table, schema in SCHEMAS.items():
        found = re.findall(r"\{'name': '(\w+)', 'type': ([^,]+(?:,\d\)')?),", declared[table])
        assert [*found, ("fitted_at", "'timestamp'")] == [
            (column.name, names[str(column.type)]) for column in schema
        ], table


class Refusing:
    """A warehouse that refuses every statement."""

    def query(self, statement: str, parameters: object = None) -> list[dict[str, object]]:
        raise RuntimeError(statement)

    def query_arrow(self, statement: str) -> pa.Table:
        raise RuntimeError(statement)


def test_a_refused_statement_leaves_no_file_behind(tmp_path: Path):
    """Guards the volume: a file with what customers are worth must not stay there."""
    tables = PredictionTables(
        Refusing(), "/Volumes/c/s/v/predictions", lambda name: tmp_path / Path(name).name
    )
    with pytest.raises(RuntimeError, match=r"INSERT OVERWRITE TABLE gold\.revenue_forecasts"):
        tables.replace("revenue_forecasts", [])
    assert list(tmp_path.iterdir()) == []
