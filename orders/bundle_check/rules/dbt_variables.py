"""Variables of dbt that are also in the configuration: each environment must have the value in dbt_project.yml."""

from __future__ import annotations

import json
from collections.abc import Iterator

from dlt_ingest.configurations.settings import Settings
from orders.bundle_check.document import read_document
from orders.bundle_check.findings import Finding, finding
from orders.bundle_check.rules.subject import Subject

_PROJECT_FILE = "dbt_project.yml"
_FOLDER = "dlt_ingest/configurations"
# Variable of dbt -> configuration key.
_VARIABLES = {"anomaly_threshold": "REVENUE_ANOMALY_THRESHOLD"}


def check_dbt_variables(subject: Subject) -> Iterator[Finding]:
    """Compare the variables with every configuration: marts, dashboards and alert read only dbt's."""
    if not (subject.root / _PROJECT_FILE).is_file():
        return
    document = read_document(subject.root / _PROJECT_FILE, subject.root).root
    for variable, key in _VARIABLES.items():
        node = document.find("vars", variable)
        if node is None:
            continue
        for file in sorted((subject.root / _FOLDER).glob("*.json")):
            try:
                settings = json.loads(file.read_text(encoding="utf-8"))
            except json.JSONDecodeError:
                continue  # reported by the rules of the configuration
            if file.name == "settings.schema.json":
                continue
            expected = settings.get(key, Settings.model_fields[key].default)
            if float(expected) != float(str(node.value)):
                yield finding(
                    node,
                    ("vars", variable),
                    f"is {node.value}, and {_FOLDER}/{file.name} says {expected} ({key})",
                    allowed=str(expected),
                    remedy="Write the same value in both; dbt has one for all environments.",
                )
