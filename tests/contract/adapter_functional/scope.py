"""Which of the adapter's tests ask for what a workspace on a laptop does not have: data, by reason.

The reasons are those that are agreed for a local workspace, and no others: a test that fails for another reason counts
as failed.
"""

from __future__ import annotations

import re
from collections.abc import Collection

PYTHON = "Python models"
BY_SQL = "materialized views and streaming tables made by SQL"
CLUSTERS = "clusters"
LOCATIONS = "external locations"
NETWORK = "network"

# A regular expression on the name of a test, below tests/functional/adapter/ -> the reason.
BY_NAME = {
    r"^python_model/": PYTHON,
    r"PythonUDF": PYTHON,
    r"^materialized_view_tests/": BY_SQL,
    r"^streaming_tables/": BY_SQL,
    r"MaterializedView|StreamingTable": BY_SQL,
    r"^warehouse_per_model/": CLUSTERS,
    r"^spog/": NETWORK,
    r"TestDatabricksEmptyWithUnionRelations": NETWORK,  # installs a package from the hub
}
# A mark that the adapter's authors put on a test -> the reason.
BY_MARK = {"python": PYTHON, "dlt": BY_SQL, "external": LOCATIONS}


def out_of_scope(test: str, marks: Collection[str]) -> str | None:
    """Return why a test is none of a local warehouse's, or None if it counts."""
    name = test.removeprefix("tests/functional/adapter/")
    by_name = (reason for pattern, reason in BY_NAME.items() if re.search(pattern, name))
    by_mark = (reason for mark, reason in BY_MARK.items() if mark in marks)
    return next(by_name, None) or next(by_mark, None)
