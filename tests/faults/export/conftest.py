"""Shares the fixtures of `tests/integration/export/export_fixtures.py`."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode adds no test folder to sys.path, and two folders share these fixtures.
sys.path.insert(0, str(Path(__file__).parents[2] / "integration" / "export"))

from export_fixtures import database, database_names, server

__all__ = ["database", "database_names", "server"]
