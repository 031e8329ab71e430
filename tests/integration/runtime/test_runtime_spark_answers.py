"""DataFrame code of pipelines is answered as Apache Spark 4.2.1 does, values and types; its answers stand in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.plan.answers import as_spark_answers
from local_workspace.dlt_runtime.plan.session import adopt_session, engine_schema, relation_of
from local_workspace.engine import EngineHandle
from local_workspace.engine.session import connect
from local_workspace.errors import NotSupported
from local_workspace.layout import WorkspaceLayout
from parity.answers import same_but_last_digit
from parity.spark import frame_names
from parity.workspace import frame_answers

_ANSWERS = json.loads((Path(__file__).parent / "spark_frames.json").read_text(encoding="utf-8"))


@pytest.fixture
def session(runtime_engine: EngineHandle, tmp_path: Path) -> Any:
    layout = WorkspaceLayout(tmp_path / "workspace").create()
    return adopt_session(connect(runtime_engine.address), {}, Paths(layout))  # type: ignore[arg-type]


def test_dataframes_give_the_values_and_types_of_spark(session: Any) -> None:
    """Guards every DataFrame that was asked of Apache Spark: functions in a plan follow the rules that SQL text follows."""
    wrong = []
    for asked, here in zip(
        _ANSWERS, frame_answers([asked["frame"] for asked in _ANSWERS], session), strict=True
    ):
        if here.error is not None:
            wrong.append(f"{asked['frame']}\n  {here.error}")
        elif not same_but_last_digit(asked["types"], asked["rows"], here):
            wrong.append(
                f"{asked['frame']}\n  Spark {asked['types']} {asked['rows']}\n  here  {here.types} {here.rows}"
            )
    assert not wrong, "\n".join(wrong)


_OVERFLOWS = [
    't.select(F.lit(9223372036854775807) + F.col("i"))',
    't.select(F.lit(2147483647) + t["i"])',
    "t.select(F.sum(F.lit(9223372036854775807)))",
    't.select((F.col("k") * F.lit(32767).cast("smallint")) * 2)',
]


def test_no_number_of_a_dataframe_wraps_around(session: Any) -> None:
    """Guards ANSI arithmetic in plans: an overflow is an error and never a number."""
    for answer in frame_answers(_OVERFLOWS, session):
        assert answer.error is not None, answer.rows


def test_a_refusal_names_file_and_line(session: Any) -> None:
    """Guards that what cannot be put rightly is refused by name, with the place in the pipeline's code."""
    names = frame_names(session)
    functions = names["F"]
    frame = names["t"].select(functions.bround("f", 1))
    with pytest.raises(NotSupported, match=r"bround\(\).*test_runtime_spark_answers.py:\d+"):
        as_spark_answers(relation_of(frame, session), lambda asked: engine_schema(asked, session), [])
