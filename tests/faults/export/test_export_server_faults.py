"""The export against a server that stops, restarts, fills up or refuses: no row is lost, none is doubled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from export_fixtures import FAST, ONCE, Database, batch, business, expected, many, row
from postgres_under_test import PostgresUnderTest

from dlt_ingest.metrics.postgres import (
    ExportSettingsError,
    SchemaDriftError,
    ServerRefusedError,
    ServerUnavailableError,
)

ROWS = 6000


class Disturbed:
    """A source that does something to the server between its batches, and counts how often it is read."""

    def __init__(self, *actions: tuple[int, Callable[[], None]]) -> None:
        self.actions = dict(actions)
        self.pulled = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for number, part in enumerate(many(ROWS)):
            if number in self.actions:
                self.actions[number]()
            self.pulled += 1
            yield part


def kill_exporters(database: Database) -> None:
    killed = database.sql(
        # Waits until the backend is gone: the rows after it belong to the next attempt on every machine.
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
        " where application_name = 'orders-export' and datname = %s",
        database.name,
    )
    assert killed == [(True,)]


def test_a_stopped_server_is_reported_after_all_attempts(database: Database) -> None:
    """Guards retries and message: the operator learns what to start, and that nothing was written."""
    database.server.stop()
    try:
        told: list[str] = []
        with pytest.raises(ServerUnavailableError, match=r"Start Postgres") as caught:
            database.export([row()], retry=replace(FAST, attempts=3), on_retry=told.append)
        assert "3 attempts" in str(caught.value)
        assert "Connection refused" in str(caught.value)
        assert len(told) == 2
    finally:
        database.server.start()
    assert database.export([row()]).inserted == 1


def test_a_server_that_comes_back_gets_every_row_once(database: Database) -> None:
    """Guards the wait: a restart of Postgres during `dbt build` must not cost the run its metrics."""
    told: list[str] = []

    def comes_back(text: str) -> None:
        told.append(text)
        if len(told) == 2:
            database.server.start()

    database.server.stop()
    try:
        result = database.export_batches(many(ROWS), on_retry=comes_back)
    finally:
        if len(told) < 2:
            database.server.start()
    assert result.attempts == 3
    assert database.checksum() == expected(many(ROWS))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_in_the_middle_starts_the_delivery_again(database: Database, mode: str) -> None:
    """Guards transaction and spool: rows sent before the restart are gone, yet the source is read once."""

    def restart() -> None:
        database.server.stop(mode)
        database.server.start()

    source = Disturbed((3, restart))
    result = database.export_batches(source)
    assert (result.attempts, result.inserted, source.pulled) == (2, ROWS, 6)
    assert database.checksum() == expected(many(ROWS))


def test_a_backend_killed_again_and_again_loses_and_doubles_nothing(database: Database) -> None:
    """Guards retry over a partly filled table: an update, deletions and inserts are all repeated as one."""
    database.export_batches(many(1000))
    database.sql("update metrics.exp_business_metrics set metric_value = 0 where metric_value < 500")
    source = Disturbed(*((number, lambda: kill_exporters(database)) for number in (1, 3, 5)))
    result = database.export_batches(source)
    assert result.attempts == 4
    assert (result.inserted, result.updated) == (ROWS - 1000, 499)
    assert database.checksum() == expected(many(ROWS))
    assert database.export_batches(many(ROWS)).changed == 0


def test_an_exporter_killed_in_the_middle_leaves_nothing_behind(database: Database) -> None:
    """Guards atomicity under kill -9: no row, no state row, no lock; the next run delivers everything."""
    script = textwrap.dedent(
        """
        import sys, time
        sys.path.insert(0, sys.argv[1])
        from export_fixtures import business, many
        from dlt_ingest.metrics.postgres import PostgresSettings, export_model

        def endless():
            for number, part in enumerate(many(6000)):
                if number == 4:
                    print("half", flush=True)
                    time.sleep(60)
                yield part

        export_model(endless(), business(), PostgresSettings.from_environment())
        """
    )
    settings = database.settings
    environment = {
        **os.environ,
        "POSTGRES_HOST": settings.host,
        "POSTGRES_PORT": str(settings.port),
        "POSTGRES_DATABASE": settings.database,
        "POSTGRES_USER": settings.user,
        "POSTGRES_PASSWORD": str(settings.password),
    }
    root = Path(__file__).parents[3]
    fixtures = root / "tests" / "integration" / "export"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(fixtures)],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as exporter:
        assert exporter.stdout is not None
        assert exporter.stdout.readline() == "half\n"
        assert database.sql("select count(*) from pg_locks where locktype = 'advisory'") == [(1,)]
        exporter.send_signal(signal.SIGKILL)
    assert database.table() == []
    assert database.sql("select count(*) from metrics._export_state") == [(0,)]
    assert database.export_batches(many(ROWS)).inserted == ROWS
    assert database.checksum() == expected(many(ROWS))


def test_a_full_disk_is_named_and_not_retried(database: Database) -> None:
    """Guards the fault that waiting does not fix, and that what was there before stays as it was."""
    server: PostgresUnderTest = database.server
    folder = server.folder / "tiny"
    folder.mkdir()
    size = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(size, check=False, capture_output=True).returncode:
        pytest.skip("a file system of 3 MB needs root and the right to mount")
    server.give_to_server(folder)
    try:
        database.export_batches(many(1000))
        before = database.checksum()
        server.sql(f"create tablespace tiny location '{folder}'")
        database.sql("alter table metrics.exp_business_metrics set tablespace tiny")
        told: list[str] = []
        with pytest.raises(ServerRefusedError, match="its disk is full") as caught:
            database.export_batches(many(60_000), on_retry=told.append)
        assert "53100" in str(caught.value)
        assert told == []
        assert database.checksum() == before
        database.sql("alter table metrics.exp_business_metrics set tablespace pg_default")
        assert database.export_batches(many(60_000)).inserted == 59_000
        server.sql("drop tablespace tiny")
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)


def test_a_read_only_server_is_named_and_not_retried(database: Database) -> None:
    """Guards the standby that a failover left behind in POSTGRES_HOST."""
    database.export([row()])
    database.sql(f"alter database {database.name} set default_transaction_read_only = on")
    told: list[str] = []
    with pytest.raises(ServerRefusedError, match="it is read-only"):
        database.export([row(value="2.00")], on_retry=told.append)
    assert told == []
    database.server.sql(f"alter database {database.name} reset default_transaction_read_only")
    assert database.export([row(value="2.00")]).updated == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "not-the-password"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"user": "nobody_here", "password": "not-the-password"}, "password authentication failed"),
        ({"sslmode": "require"}, "does not support SSL"),
        ({"sslmode": "verify-full", "sslrootcert": "/nonexistent.pem"}, "/nonexistent.pem"),
    ],
)
def test_what_the_server_does_not_accept_is_not_retried(
    database: Database, change: dict[str, str], words: str
) -> None:
    """Guards the settings' faults: at once, in the reader's words, and without the password."""
    wrong = replace(database.settings, **change)  # type: ignore[arg-type]
    told: list[str] = []
    with pytest.raises(ExportSettingsError) as caught:
        replace(database, settings=wrong).export([row()], on_retry=told.append)
    text = repr(caught.value) + str(caught.value) + repr(caught.value.__dict__) + repr(wrong)
    assert words in text
    assert "not-the-password" not in text
    assert str(database.settings.password) not in text
    assert caught.value.__cause__ is None
    assert told == []


def test_a_waiting_exporter_gives_up_after_its_lock_timeout(database: Database) -> None:
    """Guards against a build that hangs behind another one forever."""
    database.export([row()])
    inside, leave = threading.Event(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        yield batch([row(value="2.00")])
        inside.set()
        leave.wait(120)

    first = threading.Thread(target=lambda: database.export_batches(slow()))
    first.start()
    try:
        assert inside.wait(120)
        impatient = replace(database, settings=replace(database.settings, lock_timeout_s=1))
        with pytest.raises(ServerRefusedError, match="another export of the same table holds it"):
            impatient.export([row(value="3.00")])
    finally:
        leave.set()
        first.join()
    assert [str(value) for *_, value in database.table()] == ["2.00"]


def test_a_source_that_hangs_gives_the_table_free(database: Database) -> None:
    """Guards the other exporters against one whose warehouse is silent; when it wakes up, nothing is lost."""

    def hanging() -> Iterator[pa.RecordBatch]:
        yield batch([row()])
        yield batch([row(1)])
        while database.sql("select 1 from pg_locks where locktype = 'advisory'"):
            time.sleep(0.1)
        assert database.export([row(2)]).inserted == 1

    hasty = replace(database, settings=replace(database.settings, statement_timeout_s=2))
    result = hasty.export_batches(hanging())
    assert (result.attempts, result.rows, result.inserted) == (2, 2, 2)
    assert len(database.table()) == 3


def test_concurrent_exporters_change_each_row_once(database: Database) -> None:
    """Guards the advisory lock: of several exporters of the same rows, one changes something."""
    results: list[int] = []

    def work() -> None:
        results.append(database.export_batches(many(ROWS)).changed)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 0, ROWS]
    assert database.checksum() == expected(many(ROWS))


def test_a_role_without_rights_learns_who_has_to_act(database: Database) -> None:
    """Guards the deployment with separate roles: the exporter writes metrics and nothing else."""
    database.server.sql("drop role if exists plain; create role plain login password 'plain-password'")
    plain = replace(database, settings=replace(database.settings, user="plain", password="plain-password"))
    with pytest.raises(SchemaDriftError, match="may not create them"):
        plain.export([row()])

    database.export([row()])
    database.server.sql("grant metrics_exporter to plain")
    assert plain.export([row(value="2.00")]).updated == 1
    assert plain.export([row(), row(1), row(1, value="3.00")]).rejected == 2

    widened = pa.schema([*batch([]).schema, ("note", pa.string())])
    with pytest.raises(SchemaDriftError, match=r'add column "note" text'):
        plain.export_batches([batch([{**row(), "note": "x"}], widened)])
    with pytest.raises(SchemaDriftError, match="does not own it"):
        plain.export([row()], replace(business(), target="exp_other"))


def test_a_source_that_breaks_leaves_the_table_as_it_was(database: Database) -> None:
    """Guards against half a model: a warehouse that fails in mid-read leaves no first batches behind."""
    database.export([row(day) for day in range(3)])
    before = database.checksum()

    def breaking() -> Iterator[pa.RecordBatch]:
        yield batch([row(9)])
        raise OSError("the warehouse went away")

    with pytest.raises(OSError, match="the warehouse went away"):
        database.export_batches(breaking(), business(deletes="mirror"))
    assert database.checksum() == before


def test_one_attempt_needs_no_spool_and_reports_the_fault(database: Database) -> None:
    """Guards `attempts = 1`, for callers with a retry of their own."""
    source = Disturbed((2, lambda: kill_exporters(database)))
    with pytest.raises(ServerUnavailableError, match="1 attempt"):
        database.export_batches(source, retry=ONCE)
    assert database.table() == []
