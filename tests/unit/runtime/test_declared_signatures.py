"""What an editor is told about a decorator against what the decorator takes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest

from local_workspace.dlt_runtime.declare import datasets
from local_workspace.dlt_runtime.declare.api import SERVED, namespace
from local_workspace.dlt_runtime.declare.datasets import KEYWORDS
from local_workspace.dlt_runtime.declare.registry import DatasetKind


@pytest.mark.parametrize(
    ("decorator", "kind"),
    [(datasets.table, "TABLE"), (datasets.view, "VIEW"), (datasets.materialized_view, "MATERIALIZED_VIEW")],
)
def test_the_overloads_have_the_keywords_that_are_taken(
    decorator: Callable[..., Any], kind: DatasetKind
) -> None:
    """Guards completion in an editor: no keyword that is refused as unknown, and none that is kept back."""
    told = [set(inspect.signature(o).parameters) for o in typing.get_overloads(decorator)]
    assert {"query_function"} in told
    assert set(KEYWORDS[kind]) in told


@pytest.mark.parametrize("name", sorted(SERVED))
def test_each_argument_is_explained(name: str) -> None:
    """Guards readers of a docstring: every argument of every served function has its line."""
    function = namespace()[name]
    text = function.__doc__ or ""
    for argument, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            for keyword in (
                KEYWORDS["VIEW" if "view" in name else "TABLE"] if name != "materialized_view" else ()
            ):
                assert f"{keyword}:" in text, f"{name}: {keyword}"
        else:
            assert f"{argument}:" in text, f"{name}: {argument}"
