"""A flow that failed: what, at which line, and what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import PySparkException

from local_workspace.dlt_runtime.declare.registry import Flow
from local_workspace.dlt_runtime.plan.engine_words import told
from local_workspace.dlt_runtime.plan.plans import Relation, children_of
from local_workspace.dlt_runtime.plan.session import PipelineSession, data_frame
from local_workspace.errors import EngineError, LocalWorkspaceError, PipelineCodeError

_NEXT_STEP = "Rewrite the expression that is named; what runs here and what does not is in docs/run-your-own-pipeline.md"


class QueryFailed(PipelineCodeError):  # noqa: N818  (says what happened)
    """The engine refused a query or failed while it ran it."""


def query_failed(
    what: str, error: PySparkException, relation: Relation, session: PipelineSession
) -> QueryFailed:
    """Describe a query that the engine refused.

    Args:
        what: What failed, with the name of the flow.
        error: What the engine said.
        relation: The query that it was asked.
        session: A session that is not guarded.
    """
    cause = told(error)
    name = re.search(r"with name `?([^`\s]+)`? cannot be resolved", cause)
    columns = _columns_below(relation, session) if name is not None else []
    if name is None or not columns:
        return QueryFailed(what, got=cause, consequence="Nothing of it was written", next_step=_NEXT_STEP)
    wanted = name[1].split(".")[-1].lower()
    close = difflib.get_close_matches(wanted, [c.lower() for c in columns], n=3)
    shown = [c for c in columns if c.lower() in close] or columns
    return QueryFailed(
        what,
        got=cause,
        allowed="the columns " + ", ".join(columns[:40]),
        consequence="Nothing of it was written",
        next_step=f"Did you mean {' or '.join(shown[:3])}?" if close else "Correct the name of the column",
    )


def _columns_below(relation: Relation, session: PipelineSession) -> list[str]:
    """Give the columns that the innermost operator which fails has to choose from; none if it cannot be found."""
    found: list[str] = []
    for child in children_of(relation):
        try:
            found += [field.name for field in data_frame(child, session).schema.fields]
        except PySparkException:
            return _columns_below(child, session)
    return found


@contextmanager
def failures_placed(flow: Flow) -> Iterator[None]:
    """Let every failure of a flow say which flow it was and at which line that is declared.

    Raises:
        LocalWorkspaceError: What the flow raised, in these words. What the engine said is no answer to whoever wrote the
            pipeline, wherever it comes up.
    """
    place = f"flow {flow.name}, {flow.location}"
    try:
        yield
    except EngineError:
        raise
    except LocalWorkspaceError as error:
        if str(flow.location) not in str(error):
            error.args = (f"{error} ({place})",)
        raise
    except PySparkException as error:
        raise QueryFailed(
            f"The query of {place}, failed",
            got=told(error),
            consequence="Nothing of it was written",
            next_step=_NEXT_STEP,
        ) from error


def shown(error: BaseException) -> str:
    """Give a failure as a result and the event log show it; one that nobody foresaw says whose fault it is."""
    if isinstance(error, LocalWorkspaceError):
        return str(error)
    if isinstance(error, PySparkException):
        return f"The engine refused what the runtime asked of it ({told(error)})."
    return (
        f"The runtime failed ({type(error).__name__}: {error}). This is a fault of the runtime, not of the pipeline: report"
        " it with the source file"
    )
