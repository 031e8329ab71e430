"""Guards percentages: one share is the same text in the check, the summary and wherever else one is printed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from dlt_ingest.metrics.percent import percent

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("share", "printed"),
    [
        (Decimal("0.308299"), "30.82%"),
        (Decimal("0.9499999"), "94.99%"),
        (Decimal("0.99999"), "99.99%"),
        (Decimal(1), "100.00%"),
        (Decimal(0), "0.00%"),
    ],
)
def test_a_share_is_rounded_down(share: Decimal, printed: str) -> None:
    """Guards a share just below its limit: it must not look like the limit."""
    assert percent(share) == printed


def test_there_is_one_formatter() -> None:
    """Guards against a second one, which would round in its own way: the check said 30.82 and the summary 30.83."""
    own = [
        str(file.relative_to(PROJECT))
        for folder in ("dlt_ingest", "dbt_postgres_export", "orders", "notebooks")
        for file in (PROJECT / folder).rglob("*.[pi]*")
        if file.suffix in {".py", ".ipynb"} and re.search(r":,?\.?\d*%\}", file.read_text(encoding="utf-8"))
    ]
    assert own == ["dlt_ingest/metrics/percent.py"]
