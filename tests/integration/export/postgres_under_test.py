"""A Postgres server that tests may stop, fill and break: the wheel's, or Debian's, which has TLS."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg2

from dlt_ingest.metrics.postgres.settings import PostgresSettings
from local_workspace.postgres.files import find_programs, server_account

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")


class PostgresUnderTest:
    """One server in a folder of its own, on a free port of 127.0.0.1, with SCRAM.

    Postgres refuses to run as root, so its processes then belong to `nobody`.
    """

    def __init__(self, *, binaries: Path | None = None, options: Mapping[str, str] | None = None) -> None:
        account = server_account()
        self.binaries = binaries or find_programs(account)
        # Below the system's folder: pytest's own tmp_path is closed to other users.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-under-test-"))
        self.password = secrets.token_urlsafe(12)
        self.options = {"fsync": "off", "listen_addresses": "127.0.0.1", **(options or {})}
        self._who: dict[str, Any] = {}
        if account.changed:
            self._who = {"user": account.uid, "group": account.gid, "extra_groups": []}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(self.password, encoding="utf-8")
        self.give_to_server(self.folder)
        self.give_to_server(secret)
        self._run("initdb", "-D", str(self.data), "-U", "owner", "-A", "scram-sha-256", "--pwfile",
                  str(secret), "-E", "utf8", "--locale", "C", "--no-sync")  # fmt: skip

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    def give_to_server(self, path: Path) -> None:
        """Make the server's user the owner of a file or folder."""
        if self._who:
            os.chown(path, self._who["user"], self._who["group"])

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        flags = " ".join(f"-c {name}={value}" for name, value in self.options.items())
        log = self.folder / "log"
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-l", str(log), "-o",
                  f"-p {self.port} -k {self.folder} {flags}", "start")  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        """Stop; `immediate` is what a crash looks like to clients."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-s", "-m", mode, "stop")

    def close(self) -> None:
        """Stop if it runs, and remove everything."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self, database: str, **changes: Any) -> PostgresSettings:
        """Give the settings of the owner of this server."""
        values: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.port, "database": database,
            "user": "owner", "password": self.password,
        }  # fmt: skip
        return PostgresSettings(**{**values, **changes})

    def sql(
        self, statement: str, database: str = "postgres", params: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Run statements as the owner, each for itself, and give the rows of the last one."""
        link = psycopg2.connect(
            host=str(self.folder), port=self.port, user="owner", password=self.password, dbname=database
        )
        try:
            link.autocommit = True
            with link.cursor() as cursor:
                cursor.execute(statement, params or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            link.close()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / program), *arguments], cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, check=False, **self._who,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")
