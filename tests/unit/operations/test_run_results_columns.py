"""Guards the table of dbt's own results, which is defined in a macro, described in a source and filled by another macro."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
MACROS = PROJECT / "macros" / "operations"


@pytest.fixture(scope="module")
def columns() -> list[str]:
    """Names of the columns, in the order of run_results_columns."""
    return re.findall(r"'name': '(\w+)'", (MACROS / "run_results_columns.sql").read_text())


def test_described_columns_are_those_of_the_table(columns: list[str]) -> None:
    """Guards the documentation: a column added to the table is described, in the same place."""
    sources: dict[str, Any] = yaml.safe_load(
        (PROJECT / "dbt_project/models/staging/dbt/_dbt__sources.yml").read_text()
    )
    described = [column["name"] for column in sources["sources"][0]["tables"][0]["columns"]]
    assert described == columns


def test_each_column_is_filled_once(columns: list[str]) -> None:
    """Guards against a column that stays NULL forever: from_json ignores a name that nobody writes."""
    row = (
        (MACROS / "record_run_results.sql")
        .read_text()
        .split("macro _run_result_row", 1)[1]
        .split("endmacro", 1)[0]
    )
    assert re.findall(r"^        '(\w+)':", row, flags=re.MULTILINE) == columns
