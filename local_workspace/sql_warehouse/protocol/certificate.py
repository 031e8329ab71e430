"""The warehouse's self-signed TLS certificate and its access token, as files that only their owner can read."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_workspace.private_files import write_private

_VALID_DAYS = 825  # The longest time that all TLS clients accept for a server certificate.
_RENEW_DAYS = 30


@dataclass(frozen=True)
class Credentials:
    """What a client needs to be let in, and the server to prove who it is.

    Attributes:
        certificate: PEM file; it is its own certificate authority, so clients are told to trust this file.
        key: PEM file of the private key, mode 0600.
        token: The access token; its ``dapi`` beginning is that of Databricks' personal access tokens.
    """

    certificate: Path
    key: Path
    token: str

    def __repr__(self) -> str:
        return f"Credentials(certificate={str(self.certificate)!r}, token=hidden)"

    @property
    def bundle(self) -> Path:
        """PEM file with the public authorities and this certificate, for clients that know one bundle for all hosts."""
        return self.certificate.with_name("ca-bundle.pem")

    def ssl_context(self) -> ssl.SSLContext:
        """Return the server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


def ensure_credentials(folder: Path) -> Credentials:
    """Read the certificate and the token from a folder, and create what is missing or about to expire.

    Args:
        folder: The workspace's run folder; it is created with mode 0700 if it does not exist.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key, token = (
        folder / "warehouse-cert.pem",
        folder / "warehouse-key.pem",
        folder / "warehouse-token",
    )
    if not (key.exists() and certificate.exists() and _is_valid(certificate)):
        _make_certificate(certificate, key)
    if not token.exists():
        write_private(token, ("dapi" + secrets.token_hex(16)).encode())
    credentials = Credentials(certificate, key, token.read_text().strip())
    if not credentials.bundle.exists() or credentials.bundle.stat().st_mtime < certificate.stat().st_mtime:
        write_private(
            credentials.bundle, Path(certifi.where()).read_bytes() + b"\n" + certificate.read_bytes()
        )
    return credentials


def _is_valid(certificate: Path) -> bool:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    left = loaded.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
    return left > datetime.timedelta(days=_RENEW_DAYS)


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(key, pem)
    write_private(certificate, signed.public_bytes(serialization.Encoding.PEM))
