"""Shared by the tests of the marts."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode adds no test folder to sys.path.
sys.path.insert(0, str(Path(__file__).parent))
