"""The page on the local workspace against the runtime that it describes."""

from __future__ import annotations

import re
from pathlib import Path

from local_workspace.dlt_runtime import REFUSED, SERVED, support

PAGE = Path(__file__).resolve().parents[2] / "docs" / "local-workspace.md"


def test_the_page_lists_exactly_what_is_served_and_what_is_refused() -> None:
    """Guards readers against a table that promises a name the runtime refuses, or hides one that it serves."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert rows == {**SERVED, **REFUSED}


def test_the_page_on_pipelines_has_the_tables_of_the_code() -> None:
    """Guards the lists of operations and options against a runtime that serves more or less than they say."""
    page = PAGE.with_name("run-your-own-pipeline.md").read_text(encoding="utf-8")
    assert support.tables() in page
