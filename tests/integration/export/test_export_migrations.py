"""Schema `metrics` from its files: applied once, by whoever comes first, with rights for two roles."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import yaml
from export_fixtures import Database, business, row

from dlt_ingest.metrics.postgres import ExportSpec
from dlt_ingest.metrics.postgres.connection import connect
from dlt_ingest.metrics.postgres.migrations import all_migrations, migrate
from dlt_ingest.metrics.postgres.target_table import existing_table, existing_types

PROJECT = Path(__file__).resolve().parents[3]


def apply(database: Database) -> list[int]:
    with closing(connect(database.settings)) as link:
        return [item.version for item in migrate(link, database.settings)]


def test_every_file_is_applied_once(database: Database) -> None:
    """Guards the second start of every exporter: nothing is made twice, and all versions are on record."""
    versions = [item.version for item in all_migrations()]
    assert versions == list(range(1, len(versions) + 1))
    assert apply(database) == versions
    assert apply(database) == []
    assert [
        version for (version,) in database.sql("select version from metrics._migrations order by 1")
    ] == versions


def test_only_what_is_missing_is_applied(database: Database) -> None:
    """Guards the upgrade of a database that has metrics: they stay, and the new files come on top."""
    database.export([row()])
    database.sql("drop table metrics.exp_dbt_metrics, metrics.exp_freshness_metrics cascade")
    database.sql("delete from metrics._migrations where version = 4")
    assert apply(database) == [4]
    assert database.sql("select count(*) from metrics.dbt_runs") == [(0,)]
    assert database.sql("select net_revenue from metrics.business_daily")[0][0] == 1
    assert len(database.table()) == 1


def test_exporters_that_start_together_do_not_collide(database: Database) -> None:
    """Guards the first `dbt build` of a new database, whose models export from several threads at once."""
    done: list[list[int]] = []
    threads = [threading.Thread(target=lambda: done.append(apply(database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, done)) == [0, 0, 0, len(all_migrations())]


def test_each_role_may_do_its_own_and_nothing_else(database: Database) -> None:
    """Guards the rights: the exporter writes metrics, the reader reads them, neither makes or drops anything."""
    database.export([row()])
    database.export([row()], replace(business(), target="exp_made_later"))

    def allowed(role: str, statement: str) -> bool:
        settings = database.settings
        with closing(connect(settings)) as link, link.cursor() as cursor:
            cursor.execute(f"set role {role}")
            try:
                cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege:
                return False
            finally:
                link.rollback()
        return True

    for table in ("exp_business_metrics", "exp_made_later"):
        for statement in (f"update metrics.{table} set unit = 'x'", f"delete from metrics.{table}"):
            assert allowed("metrics_exporter", statement)
            assert not allowed("metrics_reader", statement)
        for role in ("metrics_exporter", "metrics_reader"):
            assert allowed(role, f"select * from metrics.{table}")
            assert not allowed(role, f"drop table metrics.{table}")
            assert not allowed(role, f"alter table metrics.{table} add x text")
    for role in ("metrics_exporter", "metrics_reader"):
        assert not allowed(role, "create table metrics.other (id int)")
        assert not allowed(role, "create schema other")
        assert not allowed(role, "insert into metrics._migrations values (99, 'x')")
    assert allowed("metrics_reader", "select * from metrics.business_daily")
    assert allowed("metrics_reader", "select * from metrics.export_health")


def test_the_tables_are_those_of_the_models_contracts(database: Database) -> None:
    """Guards the two declarations of one table: types and key of the DDL are those of the dbt models."""
    apply(database)
    declared = yaml.safe_load((PROJECT / "dbt_project/models/exports/_exports__models.yml").read_text())[
        "models"
    ]
    assert len(declared) == 5
    spelled = {"string": "text", "timestamp": "timestamp with time zone", "date": "date"}
    with closing(connect(database.settings)) as link, link.cursor() as cursor:
        for model in declared:
            columns = {
                column["name"]: spelled.get(
                    column["data_type"], column["data_type"].replace("decimal", "numeric")
                )
                for column in model["columns"]
            }
            found = existing_types(cursor, model["name"])
            assert {name: kind for name, kind in found.items() if not name.startswith("_")} == columns
            table = existing_table(cursor, model["name"])
            spec = ExportSpec.from_meta(model["name"], model["config"]["meta"]["export"])
            assert table is not None
            assert table.key == spec.key


def test_the_newest_updates_are_found_by_index(database: Database) -> None:
    """Guards the index that a year of hourly updates needs: a dashboard of the last day reads that day only."""
    apply(database)
    database.sql(
        "insert into metrics.exp_pipeline_metrics"
        " (update_id, dataset, rule_name, metric_name, unit, metric_value, started_at)"
        " select 'u' || hour, '', '', metric, 'rows', hour, timestamptz '2024-01-01' + hour * interval '1 hour'"
        " from generate_series(1, 2000) hour, unnest(array['rows_in', 'rows_out', 'succeeded', 'errors']) metric"
    )
    database.sql("analyze metrics.exp_pipeline_metrics")
    plan = database.sql(
        "explain select started_at, metric_value from metrics.exp_pipeline_metrics"
        " where metric_name = 'rows_in' and started_at > '2024-03-23' order by started_at desc"
    )
    assert "exp_pipeline_metrics_by_time" in str(plan)
    for view in ("pipeline_updates", "dataset_updates", "rule_updates"):
        plan = database.sql(f"explain select * from metrics.{view} where started_at > '2024-03-23'")
        assert "exp_pipeline_metrics_by_start" in str(plan), view
    database.sql(
        "insert into metrics.exp_dbt_metrics (invocation_id, node_id, node_name, recorded_at)"
        " select 'i' || hour, node, node, timestamptz '2024-01-01' + hour * interval '1 hour'"
        " from generate_series(1, 2000) hour, unnest(array['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) node"
    )
    database.sql("analyze metrics.exp_dbt_metrics")
    for asked, index in (
        ("max(recorded_at) from metrics.exp_dbt_metrics", "by_time"),
        (
            "recorded_at from metrics.exp_dbt_metrics where node_name = 'a' order by 1 desc limit 20",
            "by_node",
        ),
    ):
        assert f"exp_dbt_metrics_{index}" in str(database.sql(f"explain select {asked}"))
