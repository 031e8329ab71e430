"""Small statements of the SQL warehouse: its time for one, over the time of the engine alone for the same query."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.case import Case
from local_workspace.catalog import Catalog
from local_workspace.engine import SailEngine
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql_warehouse.statement_run import ClientSession
from local_workspace.sql_warehouse.warehouse import Warehouse

ROUNDS = 50
#: What the warehouse may add to the engine's time.
MOST_MILLISECONDS = 10.0
_SETUP = """
CREATE TABLE orders AS SELECT id, id % 7 AS buyer, CAST(id % 100 AS DECIMAL(10,2)) AS price FROM range(1000);
CREATE VIEW priced AS SELECT *, price / 3 AS third FROM orders;
CREATE VIEW by_buyer AS SELECT buyer, sum(price) AS revenue, avg(third) AS third, count(*) AS n FROM priced GROUP BY buyer;
CREATE VIEW ranked AS SELECT *, revenue / n AS mean, rank() OVER (ORDER BY revenue DESC) AS place FROM by_buyer
"""
_REPORT = "SELECT place, buyer, round(mean * {}, 2) AS mean FROM ranked WHERE n > 1 ORDER BY place"


def main() -> list[Case]:
    """Give one case for each kind of small statement; its ratio is against the engine alone."""
    with tempfile.TemporaryDirectory(prefix="bench-statements-") as folder:
        layout = WorkspaceLayout(Path(folder) / "workspace")
        catalog = Catalog.open(layout)
        catalog.create_catalog("c")
        catalog.create_schema("c", "s")
        with SailEngine.start(layout) as engine:
            session, other = (
                Warehouse(layout, catalog, engine.address).open_session("c", "s") for _ in range(2)
            )
            for statement in _SETUP.split(";"):
                session.execute(statement)
            numbers = itertools.count(2)
            cases = [
                _case(session, other, "SELECT 1", lambda: "SELECT 1"),
                _case(session, other, "a view of views, a text seen before", lambda: _REPORT.format(1)),
                _case(session, other, "a view of views, a new text", lambda: _REPORT.format(next(numbers))),
            ]
            session.close()
            other.close()
        catalog.close()
    return cases


def _case(session: ClientSession, other: ClientSession, name: str, text: Callable[[], str]) -> Case:
    """Measure the two in turn, since a busy machine drifts, and each as often first: who is second finds warm files.

    Args:
        session: Runs the statements.
        other: Of another warehouse, so that its texts for the engine are not known to the first.
        name: Of the case.
        text: Gives a statement for each round.
    """
    whole: list[float] = []
    engine: list[float] = []

    def by_warehouse(sql: str) -> None:
        began = time.perf_counter()
        session.execute(sql).table()
        whole.append(time.perf_counter() - began)

    def by_engine(sql: str) -> None:
        began = time.perf_counter()
        session.engine.query(sql).table()
        engine.append(time.perf_counter() - began)

    for at in range(ROUNDS):
        sql = text()
        if at % 2:
            by_warehouse(sql)
            by_engine(session.engine_sql(sql))
        else:
            by_engine(other.engine_sql(sql))
            by_warehouse(sql)
    seconds, alone = statistics.median(whole), statistics.median(engine)
    own = (seconds - alone) * 1000
    verdict = "within" if own <= MOST_MILLISECONDS else "MORE THAN"
    note = f"own overhead {own:.1f} ms, {verdict} the {MOST_MILLISECONDS:.0f} ms allowed; median of {ROUNDS}"
    return Case(name, seconds, seconds / alone, note)
