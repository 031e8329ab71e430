"""Reading YAML files safely, and in C where PyYAML was built with libyaml: ten times as fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Builds plain values only, as `yaml.safe_load` does, with the same trees and marks."""


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; an empty file is an empty mapping.

    Raises:
        OSError: The file cannot be read.
        yaml.YAMLError: It is not YAML.
    """
    return yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER) or {}  # noqa: S506  # LOADER is a safe one
