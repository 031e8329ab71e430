"""The workspace answers: SQL by the warehouse's session, DataFrames as the runtime puts plans for the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql.conversion import ArrowTableToRowsConversion
from pyspark.sql.pandas.types import from_arrow_schema

from local_workspace.catalog import Catalog
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.plan.answers import as_spark_answers
from local_workspace.dlt_runtime.plan.session import (
    PipelineSession,
    adopt_session,
    data_frame,
    engine_schema,
    relation_of,
)
from local_workspace.engine import SailEngine
from local_workspace.engine.session import connect
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.warehouse import Warehouse
from parity.answers import Answer
from parity.spark import frame_answer, frame_names, is_ordered


def ask_workspace(questions: Sequence[dict[str, str]]) -> list[Answer]:
    """Return the answers of a workspace that is made for it.

    Args:
        questions: ``kind`` is sql or frame, ``text`` the query or the Python code.
    """
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        layout = WorkspaceLayout(Path(folder)).create()
        catalog = Catalog.open(layout)
        catalog.create_catalog("parity")
        catalog.create_schema("parity", "default")
        with SailEngine.start(layout) as engine:
            session = Warehouse(layout, catalog, engine.address).open_session("parity", "default")
            try:
                spark = adopt_session(connect(engine.address), {}, Paths(layout))  # type: ignore[arg-type]
                return list(answers(questions, session, spark))
            finally:
                session.close()
                catalog.close()


def answers(
    questions: Sequence[dict[str, str]], session: ClientSession, spark: PipelineSession
) -> Iterator[Answer]:
    """Yield the answers on an engine that runs.

    Args:
        questions: As in :func:`ask_workspace`.
        session: Of the warehouse.
        spark: Of pipelines.
    """
    frames = frame_answers([q["text"] for q in questions if q["kind"] == "frame"], spark)
    for question in questions:
        if question["kind"] == "frame":
            yield next(frames)
        else:
            yield Answer.asked(partial(_sql, session, question["text"]))


def frame_answers(codes: Sequence[str], spark: PipelineSession) -> Iterator[Answer]:
    """Yield the answers of DataFrame code, of which plans go through the runtime.

    Args:
        codes: Python, see :mod:`parity.frames`.
        spark: A pipeline's session.
    """
    names = frame_names(spark)

    def ready(frame: Any) -> Any:
        relation = relation_of(frame, spark)
        as_spark_answers(relation, lambda asked: engine_schema(asked, spark), [])
        return data_frame(relation, spark)

    for code in codes:
        yield Answer.asked(partial(frame_answer, code, names, ready))


def _sql(session: ClientSession, sql: str) -> Answer:
    table = session.execute(sql).table()
    schema = from_arrow_schema(table.schema)
    rows = ArrowTableToRowsConversion.convert(table, schema)
    return Answer.of(schema, (tuple(row) for row in rows), ordered=is_ordered(sql))
