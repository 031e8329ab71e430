"""The export over TLS: whom it trusts, and that a bad certificate is not tried again.

The wheel's Postgres is built without TLS, so these tests need Debian's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from export_fixtures import batch, business, row
from postgres_under_test import DEBIAN_BIN, PostgresUnderTest

from dlt_ingest.metrics.postgres import ExportSettingsError, PostgresSettings, export_model
from dlt_ingest.metrics.postgres.connection import connect

pytestmark = pytest.mark.skipif(
    not (DEBIAN_BIN / "postgres").exists(), reason=f"needs a Postgres built with TLS in {DEBIAN_BIN}"
)
NOW = datetime.now(tz=timezone.utc)
DAY = timedelta(days=1)


class TlsServer:
    """A server whose certificate a test chooses."""

    def __init__(self, server: PostgresUnderTest, folder: Path) -> None:
        self.server = server
        self.authority = trustme.CA()
        self.trusted = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.trusted))

    def show(
        self, name: str = "localhost", *, until: datetime = NOW + DAY, by: trustme.CA | None = None
    ) -> None:
        """Let the server present a certificate for `name`, signed by `by` or by the trusted authority."""
        issued = (by or self.authority).issue_cert(name, not_after=until)
        self.write("server.crt", b"".join(part.bytes() for part in issued.cert_chain_pems))
        self.write("server.key", issued.private_key_pem.bytes())

    def write(self, name: str, content: bytes) -> None:
        path = self.server.data / name
        path.write_bytes(content)
        path.chmod(0o600)
        self.server.give_to_server(path)

    def use(self) -> PostgresSettings:
        """Make the server read its certificate again, and give the settings of a careful client."""
        loaded = "select pg_conf_load_time()"
        before = self.server.sql(loaded)
        self.server.sql("select pg_reload_conf()")
        # A new session inherits the moment from the process that presents the certificate.
        while self.server.sql(loaded) == before:
            time.sleep(0.02)
        return self.server.settings(
            "postgres", host="localhost", sslmode="verify-full", sslrootcert=str(self.trusted)
        )


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    server = PostgresUnderTest(binaries=DEBIAN_BIN, options={"ssl": "on"})
    try:
        shown = TlsServer(server, tmp_path_factory.mktemp("tls"))
        shown.show()
        server.start()
        yield shown
    finally:
        server.close()


def export(settings: PostgresSettings, told: list[str] | None = None) -> int:
    """Export one row and give how many rows were read."""
    return export_model([batch([row()])], business(), settings, on_retry=(told or []).append).rows


def test_a_certificate_of_a_trusted_authority_is_accepted(tls: TlsServer) -> None:
    """Guards the careful default: verify-full works, and the connection is encrypted."""
    tls.show()
    settings = tls.use()
    assert export(settings) == 1
    with closing(connect(settings)) as link, link.cursor() as cursor:
        cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("fault", ["expired", "self-signed", "another host"])
def test_a_certificate_that_cannot_be_trusted_stops_the_export(tls: TlsServer, fault: str) -> None:
    """Guards the password: it is not sent to a server that cannot prove who it is, however often."""
    if fault == "expired":
        tls.show(until=NOW - DAY)
    elif fault == "self-signed":
        tls.show(by=trustme.CA())
    else:
        tls.show("elsewhere.example")
    settings = tls.use()
    told: list[str] = []
    with pytest.raises(ExportSettingsError) as caught:
        export(settings, told)
    text = str(caught.value)
    words = {
        "expired": "certificate verify failed",
        "self-signed": "certificate verify failed",
        "another host": 'does not match host name "localhost"',
    }
    assert words[fault] in text
    assert "expired" in text
    assert "POSTGRES_SSLROOTCERT" in text
    assert str(settings.password) not in text
    assert told == []


def test_the_system_trust_store_does_not_know_a_private_authority(tls: TlsServer) -> None:
    """Guards the default for off-box hosts: without POSTGRES_SSLROOTCERT only public authorities count."""
    tls.show()
    settings = replace(tls.use(), sslrootcert="system")
    with pytest.raises(ExportSettingsError, match="certificate verify failed"):
        export(settings)
