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


def _sql(text: str) -> Relation:
    plan = Relation()
    plan.sql.query = text
    return plan


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT a.id FROM STREAM(x) a JOIN STREAM(y) b ON a.id = b.id", "join with another stream"),
        ("WITH a AS (SELECT * FROM STREAM x) SELECT a.id FROM a, STREAM(y) b", "join with another stream"),
        ("SELECT a.id FROM y b LEFT JOIN STREAM(x) a ON a.id = b.id", "LEFT JOIN"),
        ("SELECT a.id FROM (SELECT * FROM STREAM(x)) a FULL OUTER JOIN y b ON a.id = b.id", "FULL"),
        ("SELECT id FROM STREAM(x) UNION ALL SELECT id FROM y", "union with a batch"),
        ("SELECT id FROM STREAM(x) UNION SELECT id FROM STREAM(y)", "UNION, which removes duplicates"),
        ("SELECT id FROM y WHERE id IN (SELECT id FROM STREAM(x))", "subquery"),
    ],
)
def test_the_text_of_a_query_is_read(text: str, named: str) -> None:
    """Guards SQL text as plans are guarded: each update has new rows only, so pairs would be lost and rows come twice."""
    with pytest.raises(NotSupported, match=named):
        check_streaming(_sql(text), "f")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a.id FROM STREAM(x) a LEFT JOIN y b ON a.id = b.id",
        "WITH a AS (SELECT * FROM STREAM(x)) SELECT a.id FROM a JOIN y USING (id)",
        "SELECT id FROM STREAM(x) UNION ALL (SELECT id FROM STREAM(y) WHERE id > 1)",
        "SELECT id FROM STREAM(x) WHERE id IN (SELECT id FROM y)",
        "SELECT id, tag FROM STREAM(x) LATERAL VIEW explode(tags) t AS tag",
    ],
)
def test_queries_of_new_rows_pass(text: str) -> None:
    """Guards that the check refuses no more than it has to."""
    assert check_streaming(_sql(text), "f")


def test_a_union_of_a_stream_and_a_batch_is_refused() -> None:
    """Guards against the rows of the batch coming with every update, which Spark refuses as well."""
    plan = Relation()
    plan.set_op.left_input.CopyFrom(_stream())
    plan.set_op.right_input.read.named_table.unparsed_identifier = "y"
    plan.set_op.set_op_type = plan.set_op.SET_OP_TYPE_UNION
    plan.set_op.is_all = True
    with pytest.raises(NotSupported, match="append_flow"):
        check_streaming(plan, "f")
