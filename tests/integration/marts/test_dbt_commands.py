"""The ways in which dbt lets a person build a part: none of them may make a later build leave rows out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake
from gold_workspace import CATALOG, PROJECT, GoldWorkspace, OrderEvent, in_order, utc

ONE = ("--quiet", "--select", "fct_daily_revenue")
ALL = ("--quiet", "--select", "+fct_daily_revenue")


def order(number: int, day: int, status: str = "fulfilled") -> OrderEvent:
    return OrderEvent(
        f"o{number}", f"c{number}", status, date(2026, 3, day), utc(f"2026-03-{day:02}T09:00:00")
    )


def days(workspace: GoldWorkspace, schema: str = "gold") -> list[tuple[tuple[str, Any], ...]]:
    return in_order(workspace.rows("fct_daily_revenue", schema))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldWorkspace]:
    """Two files, each seen by a build of its own."""
    with GoldWorkspace(tmp_path_factory.mktemp("dbt_commands") / "workspace") as gold:
        gold.dbt("seed", "--quiet", "--select", "path:seeds")
        gold.land([order(1, 1), order(2, 3)], "dbfs:/a.json", utc("2026-04-01T00:00:00"))
        gold.dbt("run", *ALL)
        gold.land([order(3, 2), order(4, 5, "pending")], "dbfs:/b.json", utc("2026-04-02T00:00:00"))
        gold.dbt("run", *ALL)
        yield gold


@pytest.mark.parametrize("part", [("--empty",), ("--sample", "1 day"), ("--empty", "--full-refresh")])
def test_a_build_of_a_part_is_followed_by_a_full_one(workspace: GoldWorkspace, part: tuple[str, ...]) -> None:
    """Guards against days of 0.00 after `dbt run --empty`: progress was recorded without the rows that it stands for."""
    before = days(workspace)
    assert len(before) == 5
    workspace.dbt("run", *part, *ONE)
    workspace.dbt("run", *ONE)
    assert days(workspace) == before


def test_an_empty_build_ends_no_period_of_the_snapshot(workspace: GoldWorkspace) -> None:
    """Guards the history of customers: of no rows dbt must not conclude that all customers are gone."""
    workspace.dbt("build", "--quiet", "--select", "+customers_snapshot", "--exclude-resource-type", "test")
    before = in_order(workspace.rows("customers_snapshot"))
    assert len(before) == 4
    workspace.dbt(
        "build", "--quiet", "--empty", "--select", "customers_snapshot", "--exclude-resource-type", "test"
    )
    assert in_order(workspace.rows("customers_snapshot")) == before


def test_a_deferred_build_leaves_the_other_environment_alone(
    workspace: GoldWorkspace, tmp_path: Path
) -> None:
    """Guards production: a developer's `--defer` reads its tables and must not write its bookkeeping."""
    profiles = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    outputs = profiles["orders"]["outputs"]
    outputs["mine"] = {**outputs["local"], "schema": "gold_mine"}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles), encoding="utf-8")
    workspace.dbt("parse", "--quiet", "--write-json", "--target-path", str(tmp_path / "state"))
    bookkeeping = in_order(workspace.rows("int_marts__progressed"))
    for _ in range(2):
        workspace.dbt(
            *("run", "--profiles-dir", str(tmp_path), "--target", "mine"),
            *("--defer", "--state", str(tmp_path / "state")),
            *ONE,
        )
        assert days(workspace, "gold_mine") == days(workspace)
    assert in_order(workspace.rows("int_marts__progressed")) == bookkeeping


def test_a_retry_leaves_nothing_out(workspace: GoldWorkspace) -> None:
    """Guards `dbt retry` after a build that failed half way, while another file came: each order is in its day once."""
    before = sum(dict(day)["orders"] for day in days(workspace))
    lines = Path(workspace.layout.table_path(CATALOG, "gold", "fct_order_lines"))
    workspace.land([order(21, 4)], "dbfs:/21.json", utc("2026-04-21T00:00:00"))
    lines.rename(lines.with_name("away"))
    failed, said = workspace.try_dbt("run", "--write-json", *ALL)
    lines.with_name("away").rename(lines)
    assert not failed
    assert "fct_order_lines" in said
    workspace.land([order(22, 4)], "dbfs:/22.json", utc("2026-04-22T00:00:00"))
    workspace.dbt("retry", "--write-json")
    assert sum(dict(day)["orders"] for day in days(workspace)) == before + 1
    workspace.dbt("run", *ALL)
    assert sum(dict(day)["orders"] for day in days(workspace)) == before + 2


def test_another_environment_alone_modifies_nothing(workspace: GoldWorkspace, tmp_path: Path) -> None:
    """Guards `--select state:modified+ --defer --state` with prod's manifest: it would build all models for everyone."""
    for target in ("prod", "dev"):
        path = ("--target-path", str(tmp_path / target))
        workspace.dbt("parse", "--quiet", "--target", target, "--write-json", *path)
    modified = workspace.dbt(
        *("ls", "--quiet", "--target", "dev", *path),
        *("--select", "state:modified", "--state", str(tmp_path / "prod")),
    )
    assert modified.strip() in ("", "No nodes selected!"), modified


def test_data_tests_look_at_what_changed_and_at_all_rows_on_demand(
    workspace: GoldWorkspace, tmp_path: Path
) -> None:
    """Guards both scopes: a run pays for the orders of the last loads alone, and the daily pass sees a fault in any other.

    The faults are rows that no build writes: an order twice, once an old one and once one of the last load.
    """
    for number in (11, 12, 13):
        workspace.land([order(number, 7)], f"dbfs:/{number}.json", utc(f"2026-04-{number}T00:00:00"))
        workspace.dbt("run", "--quiet", "--select", "+fct_orders")
    table = DeltaTable(workspace.layout.table_path(CATALOG, "gold", "fct_orders"))
    before = table.version()

    def passes(*arguments: str) -> bool:
        passed, said = workspace.try_dbt("test", "--select", "column_rules_fct_orders", *arguments)
        assert passed or "Got 1 result" in said, said
        return passed

    everything = ("--vars", '{"test_scope": "all"}', "--target-path", str(tmp_path))
    try:
        for order_id, seen in (("o1", False), ("o13", True)):
            twice = table.to_pyarrow_dataset().to_table()
            write_deltalake(table, twice.filter(pc.field("order_id") == order_id), mode="append")
            assert passes() is not seen
            assert not passes(*everything)
            table.restore(before)
        assert passes(*everything)
    finally:
        table.restore(before)
    refused, said = workspace.try_dbt(
        "test", "--select", "column_rules_fct_orders", "--vars", '{"test_scope": "some"}', *everything[2:]
    )
    assert not refused
    assert "Allowed are changed and all" in said
