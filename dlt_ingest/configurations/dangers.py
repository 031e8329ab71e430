"""Values that are well-formed and still wrong: another environment's, too weak for production, or a secret in the open."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from foundation.findings import Finding

# Environments with data that others rely on.
PROTECTED = ("staging", "prod")
LOCAL = "local"

# Words that name an environment inside of a name such as `ecommerce_dev` or `metrics.staging.shop.internal`.
_WORDS = {
    "local": ("local", "localhost"),
    "dev": ("dev", "development"),
    "staging": ("staging", "stage"),
    "prod": ("prod", "production"),
}
_TEST_WORDS = ("test", "qa", "sandbox")
_NAMES_OF_AN_ENVIRONMENT = ("CATALOG_NAME", "POSTGRES_HOST", "POSTGRES_DATABASE", "SECRET_SCOPE")

_SECRETS = (
    re.compile(r"://[^/\s:@]+:[^/\s@]+@"),  # a URL with a password
    re.compile(r"\bpassword\s*=", re.IGNORECASE),
    re.compile(r"\bdapi[0-9a-f]{16,}"),  # a Databricks token
    re.compile(r"\bxox[abprs]-"),  # a Slack token
    re.compile(r"hooks\.slack\.com/"),  # a Slack webhook: whoever has it may post
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),  # an AWS access key
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
)
# Names that never resolve (RFC 2606), and the id of nobody: what the files carry until somebody fills them
# in.
_PLACEHOLDER = re.compile(r"(\.|@)example(\.(com|net|org))?$|^0{8}-0{4}-0{4}-0{4}-0{12}$")


def looks_secret(value: Any) -> bool:
    """Return whether a value may be a secret, and so must not be printed."""
    return isinstance(value, str) and any(pattern.search(value) for pattern in _SECRETS)


def danger_findings(environment: str, document: Mapping[str, Any], file: str) -> list[Finding]:
    """Find what is dangerous in one environment's file, by itself."""
    findings = list(_inline_secrets(document, file))
    findings += _names_of_others(environment, document, file)
    if environment != LOCAL:
        findings += _local_host(document, file)
        findings += _placeholders(document, file)
    if environment in PROTECTED:
        findings += _too_weak(environment, document, file)
    return findings


def cross_findings(documents: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Find values that two environments share and must not.

    Args:
        documents: The document of each environment; an empty one is skipped.
    """
    findings = []
    for keys, harm in (
        (("CATALOG_NAME",), "both would write the same tables"),
        (("POSTGRES_HOST", "POSTGRES_DATABASE"), "both would write the same metrics"),
    ):
        owners: dict[tuple[Any, ...], str] = {}
        for environment, document in documents.items():
            value = tuple(document.get(key) for key in keys)
            if None in value:
                continue
            other = owners.setdefault(value, environment)
            if other != environment:
                findings.append(
                    Finding(
                        f"{environment}.json",
                        keys[-1],
                        f"the value is that of {other}.json; {harm}",
                        f"Set a separate one for {environment}",
                        got="/".join(map(str, value)),
                    )
                )
    return findings


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _strings(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for position, inner in enumerate(value):
            yield from _strings(inner, f"{key}.{position}")


def _inline_secrets(document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    for key, value in _strings(document):
        if looks_secret(value):
            yield Finding(
                file,
                key,
                "the value looks like a secret",
                "Change the secret, and put the new one into the secret scope or the environment",
            )


def _names_of_others(environment: str, document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    foreign = {word: name for name, words in _WORDS.items() if name != environment for word in words}
    if environment in PROTECTED:
        foreign.update(dict.fromkeys(_TEST_WORDS, "a test"))
    for key in _NAMES_OF_AN_ENVIRONMENT:
        value = document.get(key)
        if not isinstance(value, str) or (key == "POSTGRES_HOST" and _is_local_host(value)):
            continue
        for word in re.split(r"[^a-z0-9]+", value.lower()):
            if word in foreign:
                yield Finding(
                    file,
                    key,
                    f"the value names {foreign[word]}, but this is {environment}",
                    f"Set a separate one for {environment}",
                    got="a text that may be a secret" if looks_secret(value) else value,
                )
                break


def _local_host(document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    host = document.get("POSTGRES_HOST")
    if isinstance(host, str) and _is_local_host(host):
        yield Finding(
            file,
            "POSTGRES_HOST",
            "on Databricks, this host is the cluster itself, which has no Postgres",
            "Name the server of the metrics database",
            got=host,
        )


def _is_local_host(host: str) -> bool:
    if host.lower() == "localhost" or host.lower().endswith((".localhost", ".local", ".docker.internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _placeholders(document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    for key, value in _strings(document):
        if _PLACEHOLDER.search(value):
            yield Finding(
                file,
                key,
                "this is the example value of the project",
                "Set your own before you deploy",
                got=value,
                severity="warning",
            )


def _too_weak(environment: str, document: Mapping[str, Any], file: str) -> Iterator[Finding]:
    mode = document.get("POSTGRES_SSLMODE", "verify-full")
    if isinstance(mode, str) and mode != "verify-full":
        yield Finding(
            file,
            "POSTGRES_SSLMODE",
            f"too weak for {environment}: a false server would get the password",
            "Set verify-full, and name the certificate authority in POSTGRES_SSLROOTCERT",
            got=mode,
            allowed="verify-full",
        )
    if not document.get("RUN_AS_SERVICE_PRINCIPAL"):
        yield Finding(
            file,
            "RUN_AS_SERVICE_PRINCIPAL",
            f"missing for {environment}: everything would stop when the user who deployed it leaves",
            "Add the application id of a service principal",
        )
    if not document.get("NOTIFICATION_EMAILS"):
        yield Finding(
            file,
            "NOTIFICATION_EMAILS",
            f"empty for {environment}: nobody would be notified of a failure",
            "Add the address of a group",
        )
