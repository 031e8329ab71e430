"""The tables that predictions are written to: their types, and how rows replace what is there.

dbt makes the tables (macro create_prediction_table), because its views read them in the very first build. Rows go through a
Parquet file in the volume, so that a million customers are one statement with exact types, and one commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_ingest.sql_client import Queries

_MONEY = pa.decimal128(18, 2)
_TIME = pa.timestamp("us", tz="UTC")

CUSTOMERS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("horizon_days", pa.int32()),
        ("probability_alive", pa.decimal128(18, 6)),
        ("expected_purchases", pa.decimal128(18, 4)),
        ("expected_value", _MONEY),
        ("value_low", _MONEY),
        ("value_high", _MONEY),
        ("as_of_date", pa.date32()),
        ("fitted_at", _TIME),
    ]
)
BACKTESTS = pa.schema(
    [
        ("cutoff_date", pa.date32()),
        ("horizon_days", pa.int32()),
        ("customers", pa.int64()),
        ("customers_within", pa.int64()),
        ("actual_value", _MONEY),
        ("predicted_value", _MONEY),
        ("naive_value", _MONEY),
        ("predicted_error_per_customer", _MONEY),
        ("naive_error_per_customer", _MONEY),
        ("fitted_at", _TIME),
    ]
)
FORECASTS = pa.schema(
    [
        ("origin_date", pa.date32()),
        ("date_ordered", pa.date32()),
        ("days_ahead", pa.int32()),
        ("forecast_revenue", _MONEY),
        ("revenue_low", _MONEY),
        ("revenue_high", _MONEY),
        ("naive_revenue", _MONEY),
        ("fitted_at", _TIME),
    ]
)
SCHEMAS = {
    "customer_predictions": CUSTOMERS,
    "prediction_backtests": BACKTESTS,
    "revenue_forecasts": FORECASTS,
}


@dataclass(frozen=True)
class PredictionTables:
    """Where predictions are kept.

    Attributes:
        queries: The warehouse; unqualified names resolve in the catalog.
        folder: Folder in the volume, as SQL names it.
        local_path: Turns such a name into a path of this machine; on Databricks they are the same.
    """

    queries: Queries
    folder: str
    local_path: Callable[[str], Path]

    def replace(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """Replace all rows of a table, in one commit. A second time with the same rows changes nothing that is read."""
        schema = SCHEMAS[table]
        named = f"{self.folder}/{table}-{uuid.uuid4().hex}.parquet"
        path = self.local_path(named)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(pa.Table.from_pylist(list(rows), schema), path)
            columns = ", ".join(schema.names)
            self.queries.query(
                f"INSERT OVERWRITE TABLE gold.{table} ({columns}) SELECT {columns} FROM parquet.`{named}`"
            )
        finally:
            path.unlink(missing_ok=True)
