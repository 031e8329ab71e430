"""Commands of the documentation that another test runs, since they take minutes or change the checkout.

Each names who runs it, and `is_run` looks there: a renamed test, or one that no longer gives the command, is found.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from docs_commands import PROJECT

# Methods that run the words that they are given, to the end or in the background.
_RUNNING = {"run", "serving"}


@dataclass(frozen=True)
class Place:
    """Who runs a command.

    Attributes:
        file: A test file, a workflow or a script of CI.
        function: The test or fixture in it; empty for workflow and script.
    """

    file: str
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}::{self.function}" if self.function else self.file


_MAIN_JOB = "tests/integration/main_job/test_main_job_generated.py"
_BUILT = Place("tests/integration/conftest.py", "built_workspace")
_ERASURE = "tests/integration/governance/test_erase_customer.py"
_DOCS_SITE = Place("tests/integration/docs/test_docs_site.py", "test_the_site_is_served")
_CI, _WORKFLOW = Place(".ci/run"), Place(".github/workflows/ci.yml")

RUN_ELSEWHERE = {
    "make venv": _CI,
    "make run": _BUILT,
    "make test": _CI,
    "make lint": _WORKFLOW,
    "make fmt": _WORKFLOW,
    "orders sample cdnow": _BUILT,
    "orders run": _BUILT,
    "orders ingest --full-refresh": Place(_MAIN_JOB, "test_rebuilding_everything_gives_the_same_orders"),
    "orders build --full-refresh": Place(_ERASURE, "small"),
    "dbt docs generate": _DOCS_SITE,
    "dbt docs serve": _DOCS_SITE,
    "orders erase C-0000001 --yes": Place(_ERASURE, "test_the_customer_is_gone_everywhere"),
}


def is_run(command: str) -> bool:
    """Whether the place that the table names for a command exists and runs it."""
    place = RUN_ELSEWHERE[command]
    words = shlex.split(command)
    if words[0] in {"orders", "dbt"}:
        return _gives(place, words[1:])
    if place is _WORKFLOW:
        return command in _workflow_commands(place)
    if place is _CI:
        # `make test` makes the environment first, by the same prerequisite as `make venv`.
        script = (PROJECT / place.file).read_text(encoding="utf-8").splitlines()
        return "make test" in script and _prerequisites(words[1]) == _prerequisites("test")
    recipe = re.findall(r"\$\(ORDERS\) (\w+)", _rule(words[1])[1])
    return bool(recipe) and all(_gives(place, [name]) for name in recipe)


def _gives(place: Place, words: list[str]) -> bool:
    """Whether a function calls `….run(…)` or `….serving(…)` with these words, or with these and more behind them."""
    return any(given[: len(words)] == words for given in _calls(place))


def _calls(place: Place) -> Iterator[list[str]]:
    tree = ast.parse((PROJECT / place.file).read_text(encoding="utf-8"))
    texts = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    for node in (inner for f in functions if f.name == place.function for inner in ast.walk(f)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RUNNING:
            yield list(_literal_words(node.args, texts))


def _literal_words(arguments: list[ast.expr], texts: dict[str, Any]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Constant):
            yield str(argument.value)
        elif isinstance(argument, ast.Name) and argument.id in texts:
            yield str(texts[argument.id])
        else:
            return


def _workflow_commands(place: Place) -> set[str]:
    workflow = yaml.safe_load((PROJECT / place.file).read_text(encoding="utf-8"))
    steps = (step for job in workflow["jobs"].values() for step in job["steps"])
    return {part.strip() for step in steps for part in step.get("run", "").split("&&")}


def _rule(target: str) -> tuple[str, str]:
    """Prerequisites and recipe of a target of the Makefile."""
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{target}:([^#\n]*)[^\n]*\n((?:\t[^\n]*\n)*)", text, re.MULTILINE)
    assert found is not None, f"the Makefile has no target {target}"
    return found[1], found[2]


def _prerequisites(target: str) -> list[str]:
    return _rule(target)[0].split()
