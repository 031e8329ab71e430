"""The bundle agrees with the configuration of its environment, which is the single source of these values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from dlt_ingest.configurations.pipeline import LANDING_PATH
from dlt_ingest.configurations.settings import Settings
from dlt_ingest.configurations.volume import OrdersVolume
from orders.bundle_check.document import KeyPath, Node, Position
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_FOLDER = "dlt_ingest/configurations"
# Configuration key -> variable of the bundle.
_VARIABLES = {
    "CATALOG_NAME": "catalog",
    "EXPORT_LAG_MINUTES": "export_lag_minutes",
    "EXPORT_POLICY": "export_policy",
    "POSTGRES_DATABASE": "postgres_database",
    "POSTGRES_HOST": "postgres_host",
    "POSTGRES_SSLMODE": "postgres_sslmode",
    "POSTGRES_USER": "postgres_user",
    "QUALITY_RATE_MINIMUM": "quality_rate_minimum",
    "RUN_AS_SERVICE_PRINCIPAL": "run_as_service_principal",
    "SECRET_SCOPE": "secret_scope",
    "SLOW_UPDATE_FACTOR": "slow_update_factor",
    "WAREHOUSE_NAME": "warehouse_name",
}


def check_configuration(subject: Subject) -> Iterator[Finding]:
    """Compare catalog, volume, landing path, limits and Postgres with the environment's JSON file."""
    environment = subject.tree.find("variables", "environment", "value")
    if environment is None or "${" in str(environment.value):
        return
    shown = f"{_FOLDER}/{environment.value}.json"
    file = subject.root / shown
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.json")))
        yield finding(
            environment,
            ("variables", "environment"),
            f"there is no {shown}",
            allowed=known or "a JSON file for each environment",
            remedy="Add the file, or name another environment.",
        )
        return
    try:
        # A key that the file omits has its default, and the bundle must agree with that too.
        settings: dict[str, Any] = {**_defaults(), **json.loads(file.read_text(encoding="utf-8"))}
    except json.JSONDecodeError as error:
        yield finding(
            Position(shown, error.lineno),
            (),
            f"not JSON ({error.msg})",
            allowed="JSON",
            remedy="Correct the line.",
        )
        return
    for key, variable in _VARIABLES.items():
        node = subject.tree.find("variables", variable, "value")
        yield from _differs(
            node, ("targets", subject.target, "variables", variable), settings.get(key), shown, key
        )
    email = subject.tree.find("variables", "operations_email", "value")
    told = settings.get("NOTIFICATION_EMAILS")
    if told and email is not None and email.value not in told:
        yield from _differs(
            email,
            ("targets", subject.target, "variables", "operations_email"),
            told[0],
            shown,
            "NOTIFICATION_EMAILS",
        )
    for path, volume in subject.resources("volumes"):
        for key, part in (("SCHEMA_NAME", "schema_name"), ("VOLUME_NAME", "name")):
            yield from _differs(volume.find(part), (*path, part), settings.get(key), shown, key)
    if not all(key in settings for key in ("CATALOG_NAME", "SCHEMA_NAME", "VOLUME_NAME")):
        return
    yield from _landing(subject, settings, shown)


def _defaults() -> dict[str, Any]:
    """Return the default of each key that has one, as the JSON files would write it."""
    found = {}
    for key, field in Settings.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if not field.is_required() and value is not None:
            found[key] = float(value) if isinstance(value, Decimal) else value
    return found


def _landing(subject: Subject, settings: dict[str, Any], shown: str) -> Iterator[Finding]:
    """Check that the DLT code, the job's trigger and the senders of files mean the same folder."""
    landing = OrdersVolume(settings["CATALOG_NAME"], settings["SCHEMA_NAME"], settings["VOLUME_NAME"]).landing
    for path, pipeline in subject.resources("pipelines"):
        where = (*path, "configuration", LANDING_PATH)
        node = pipeline.find("configuration", LANDING_PATH)
        if node is None:
            yield finding(
                pipeline.find("configuration") or pipeline,
                where,
                "the key is missing, but the DLT code reads it",
                allowed=landing,
                remedy="Add it to the pipeline's configuration.",
            )
        yield from _differs(node, where, landing, shown, "CATALOG_NAME, SCHEMA_NAME, VOLUME_NAME")
    for path, job in subject.resources("jobs"):
        node = job.find("trigger", "file_arrival", "url")
        where = (*path, "trigger", "file_arrival", "url")
        if node is not None and str(node.value).rstrip("/") != landing:
            yield from _differs(node, where, f"{landing}/", shown, "CATALOG_NAME, SCHEMA_NAME, VOLUME_NAME")


def _differs(node: Node | None, path: KeyPath, expected: Any, file: str, key: str) -> Iterator[Finding]:
    """Yield a finding if a known value of the bundle differs from the configuration's."""
    if node is None or expected is None or "${" in str(node.value) or node.value == expected:
        return
    yield finding(
        node,
        path,
        f"is {node.value!r}, and {file} says {expected!r} ({key})",
        allowed=str(expected),
        remedy=f"Write {expected} here, or change {file} first.",
    )
