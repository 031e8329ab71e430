"""The gates of CI that are scripts of our own can say no."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parents[3]


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", PROJECT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_package_below_its_floor_is_named() -> None:
    """Guards `make coverage`: a package below its floor, one without a floor and a floor without a package are findings."""
    floors = _script("coverage_floors")
    lines = {"covered_lines": 7, "covered_branches": 1, "num_statements": 8, "num_branches": 2}
    report = {"files": {"orders/cli/main.py": {"summary": lines}, "orders/cli/deep/x.py": {"summary": lines}}}
    assert floors.shares(report) == {"orders/cli": 80.0}
    assert floors.findings({"orders/cli": 80.0}, {"orders/cli": 80}) == []
    found = floors.findings({"orders/cli": 79.9, "new": 1.0}, {"orders/cli": 80, "old": 5})
    assert [sentence.split(":")[0] for sentence in found] == ["orders/cli", "new", "old"]


def test_the_page_is_linted_as_one_scope() -> None:
    """Guards the linter of JavaScript: the page has no finding, and unknown and unused names are findings of their line."""
    lint = _script("lint_javascript")
    assert lint.findings(lint.render.page_code()) == []
    found = lint.findings("const used = 1;\nconst unused = 2;\nshow(used);\n")
    assert sorted((line, message.split("(")[-1]) for line, message in found) == [
        (2, "no-unused-vars))"),
        (3, "no-undef))"),
    ]
