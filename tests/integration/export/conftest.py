"""Puts `export_fixtures.py` on the path, for this folder and for the fault tests of the export."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode adds no test folder to sys.path, and two folders share these fixtures.
sys.path.insert(0, str(Path(__file__).parent))

from export_fixtures import database, database_names, server

__all__ = ["database", "database_names", "server"]
