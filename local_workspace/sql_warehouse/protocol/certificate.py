"""The warehouse's TLS certificate and its access token, as files that only their owner can read."""

from __future__ import annotations

import datetime
import re
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme
from cryptography import x509

from local_workspace.private_files import write_private

_VALID_DAYS = 825  # The longest time that all TLS clients accept for a server certificate.
_RENEW_DAYS = 30
_TOKEN = re.compile(rb"[\x21-\x7e]{16,}")


@dataclass(frozen=True)
class Credentials:
    """What a client needs to be let in, and the server to prove who it is.

    Attributes:
        authority: PEM file of the workspace's own certificate authority, which clients are told to trust.
        certificate: PEM file of the certificate that the authority issued for this server.
        key: PEM file of the private key, mode 0600.
        token: The access token; its ``dapi`` beginning is that of Databricks' personal access tokens.
    """

    authority: Path
    certificate: Path
    key: Path
    token: str

    def __repr__(self) -> str:
        return f"Credentials(certificate={str(self.certificate)!r}, token=hidden)"

    @property
    def bundle(self) -> Path:
        """PEM file with the public authorities and the workspace's own, for clients that know one bundle for all hosts."""
        return self.certificate.with_name("ca-bundle.pem")

    def ssl_context(self) -> ssl.SSLContext:
        """Return the server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


def ensure_credentials(folder: Path) -> Credentials:
    """Read the certificate and the token from a folder, and create what is missing, damaged or about to expire.

    They are secrets of this machine alone, so a damaged one is replaced: nobody else holds a copy that would stop working.

    Args:
        folder: The workspace's run folder; it is created with mode 0700 if it does not exist.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, certificate, key, token = (
        folder / name
        for name in ("warehouse-authority.pem", "warehouse-cert.pem", "warehouse-key.pem", "warehouse-token")
    )
    if not _are_valid(authority, certificate, key):
        _issue(authority, certificate, key)
    if not token.exists() or not _TOKEN.fullmatch(token.read_bytes().strip()):
        write_private(token, "dapi" + secrets.token_hex(16))
    credentials = Credentials(authority, certificate, key, token.read_text().strip())
    bundle = credentials.bundle
    if not (_can_be_trusted(bundle) and bundle.stat().st_mtime >= authority.stat().st_mtime):
        write_private(bundle, Path(certifi.where()).read_bytes() + b"\n" + authority.read_bytes())
    return credentials


def _are_valid(authority: Path, certificate: Path, key: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError:  # SSLError is one: no certificate, or not that of the key
        return False
    return _can_be_trusted(authority) and _is_valid(certificate)


def _can_be_trusted(file: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError:
        return False
    return True


def _is_valid(certificate: Path) -> bool:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    left = loaded.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    return left > datetime.timedelta(days=_RENEW_DAYS)


def _issue(authority: Path, certificate: Path, key: Path) -> None:
    """Issue a certificate by an authority whose key is written nowhere, so that it can never issue another."""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=_VALID_DAYS)
    issuer = trustme.CA(path_length=0, organization_name="local workspace")
    issued = issuer.issue_cert("localhost", "127.0.0.1", common_name="localhost", not_after=until)
    write_private(key, issued.private_key_pem.bytes())
    write_private(certificate, b"".join(part.bytes() for part in issued.cert_chain_pems))
    # Last: without it, an issue that was cut short is done again.
    write_private(authority, issuer.cert_pem.bytes())
