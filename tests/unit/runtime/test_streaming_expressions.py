"""A streaming query is refused what batches alone cannot compute, in whichever way it is written."""

from __future__ import annotations

import pytest

from local_workspace.dlt_runtime.plan.plans import Relation, check_streaming
from local_workspace.errors import NotSupported


def _stream() -> Relation:
    plan = Relation()
    plan.project.input.read.named_table.unparsed_identifier = "bronze.orders"
    plan.project.input.read.is_streaming = True
    return plan


@pytest.mark.parametrize("name", ["stddev_samp", "corr", "sum", "percentile_cont", "listagg", "regr_slope"])
def test_every_aggregate_is_refused(name: str) -> None:
    """Guards against one value per update: any aggregate of the table of functions, not a list of favourites."""
    plan = _stream()
    plan.project.expressions.add().unresolved_function.function_name = name
    with pytest.raises(NotSupported, match=name):
        check_streaming(plan, "f")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sum(id)", "sum"),
        ("coalesce(stddev_samp(price), 0) AS s", "stddev_samp"),
        ("row_number() OVER (ORDER BY id)", "window"),
        ("count(DISTINCT id) FILTER (WHERE id > 1)", "count"),
    ],
)
def test_the_text_of_an_expression_is_read(text: str, named: str) -> None:
    """Guards expression strings: what they ask for is not hidden from the check."""
    plan = _stream()
    plan.project.expressions.add().expression_string.expression = text
    with pytest.raises(NotSupported, match=named):
        check_streaming(plan, "f")


@pytest.mark.parametrize("text", ["*", "upper(name) AS n", "price * 2", "transform(items, i -> i + 1)"])
def test_functions_of_a_row_pass(text: str) -> None:
    """Guards that the check refuses no more than it has to."""
    plan = _stream()
    plan.project.expressions.add().expression_string.expression = text
    assert check_streaming(plan, "f")
