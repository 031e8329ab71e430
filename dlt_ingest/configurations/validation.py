"""The check of the configuration files: structure, and what would be dangerous in the environment that a file is for."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlt_ingest.configurations.dangers import cross_findings, danger_findings, looks_secret
from dlt_ingest.configurations.reading_findings import reading_findings
from dlt_ingest.configurations.settings import CONFIGURATION_FOLDER, ENVIRONMENTS, Settings
from dlt_ingest.errors import ConfigurationError, InputError
from foundation.findings import Finding

# For editors: it names the schema, so that they complete and check while one types.
SCHEMA_KEY = "$schema"
SCHEMA_FILE = "settings.schema.json"

_SECRET_NAME = re.compile(r"passw|token|secret|credential|private|api_?key", re.IGNORECASE)


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file, generated from `Settings`."""
    schema = Settings.model_json_schema()
    for setting in schema["properties"].values():
        if setting.get("type") == "number":
            setting["default"] = float(setting["default"])  # pydantic writes a Decimal as a string
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"] = {
        SCHEMA_KEY: {"type": "string", "description": "This schema, for editors; not a setting."},
        **schema["properties"],
    }
    return schema


def settings_schema_text() -> str:
    """Return the text of the committed schema file."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def validate_environments(
    environments: Sequence[str] = ENVIRONMENTS, folder: Path = CONFIGURATION_FOLDER
) -> list[Finding]:
    """Check the files of the environments, each by itself and against each other.

    Args:
        environments: Names to report on. The others are read too: whether a value is another
            environment's can only be seen beside it.
        folder: Where the files are.

    Returns:
        All findings of the files asked for, in the order of the environments; nothing is raised for a bad
        file.

    Raises:
        InputError: If an environment is asked for that there is none of.
    """
    known = known_environments(folder)
    for environment in environments:
        require_known(environment, folder)
    documents: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for environment in known:
        document, found = check_environment(environment, folder)
        documents[environment] = document
        findings += found
    findings += cross_findings(documents)
    files = [f"{environment}.json" for environment in environments]
    return [finding for file in files for finding in findings if finding.file == file]


def known_environments(folder: Path = CONFIGURATION_FOLDER) -> list[str]:
    """Return the names of all environments: the four of the project, and any other file in the folder."""
    others = sorted(path.stem for path in folder.glob("*.json") if path.name != SCHEMA_FILE)
    return [*ENVIRONMENTS, *(name for name in others if name not in ENVIRONMENTS)]


def require_known(environment: str, folder: Path = CONFIGURATION_FOLDER) -> None:
    """Refuse the name of an environment that has no configuration.

    Raises:
        InputError: If there is no environment of this name.
    """
    known = known_environments(folder)
    if environment not in known:
        raise _no_such_environment(environment, known)


def check_environment(environment: str, folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """Read and check one file by itself.

    Returns:
        The document without its `$schema` (empty if it cannot be read), and the findings.

    Raises:
        InputError: If there is no environment of this name.
    """
    path = folder / f"{environment}.json"
    require_known(environment, folder)
    document, findings = _read(path)
    if not findings:
        findings = structure_findings(document, path.name) or reading_findings(document, path.name)
        findings += danger_findings(environment, document, path.name)
    return document, findings


def structure_findings(document: Mapping[str, Any], file: str) -> list[Finding]:
    """Find unknown and missing keys and wrong types and values, by the settings class."""
    try:
        Settings.model_validate_json(json.dumps(document))
    except ValidationError as error:
        return [_structure_finding(dict(detail), file) for detail in error.errors(include_url=False)]
    return []


def refuse(findings: Iterable[Finding], what: str) -> None:
    """Raise if there is an error among the findings.

    Raises:
        ConfigurationError: With all errors in its text.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise ConfigurationError(
            what,
            got="; ".join(str(error).rstrip(".") for error in errors),
            consequence="Nothing was done",
            next_step="Run `orders config validate --env all` after the change",
        )


def _read(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    def fault(problem: str, remedy: str, key: str = "") -> tuple[dict[str, Any], list[Finding]]:
        return {}, [Finding(path.name, key, problem, remedy)]

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return fault(
            "the file is missing", f"Copy the file of another environment to {path.name} and adapt it"
        )
    except (OSError, UnicodeDecodeError) as error:
        return fault(f"the file cannot be read: {error}", "Make it a readable UTF-8 file")
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(pairs)

    try:
        document = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        return fault(
            f"not JSON in line {error.lineno}, column {error.colno}: {error.msg}", "Correct the line"
        )
    if not isinstance(document, dict):
        return fault("the file is not a JSON object", 'Write {"CATALOG_NAME": ..., ...}')
    if repeated:
        return {}, [
            Finding(
                path.name,
                key,
                "the key occurs twice; it is undefined which value counts",
                "Keep one of them",
            )
            for key in repeated
        ]
    document.pop(SCHEMA_KEY, None)
    return document, []


def _structure_finding(detail: dict[str, Any], file: str) -> Finding:
    key = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    field = Settings.model_fields.get(str(detail["loc"][0])) if detail["loc"] else None
    if detail["type"] == "extra_forbidden":
        if _SECRET_NAME.search(key):
            return Finding(
                file,
                key,
                "a secret has no place in a configuration file",
                "Remove the line, change the secret, and put the new one into the secret scope or the environment",
            )
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        return Finding(
            file,
            key,
            "there is no such setting",
            f"Write {near[0]}, if that is what was meant" if near else "Remove the line",
            allowed=None if near else ", ".join(Settings.model_fields),
        )
    if detail["type"] == "missing":
        meaning = field.description if field and field.description else ""
        return Finding(file, key, "the setting is missing", f'Add "{key}": {meaning.rstrip(".")}')
    value = detail.get("input")
    got = (
        "a text that may be a secret"
        if looks_secret(value)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
    message = str(detail["msg"])
    return Finding(file, key, message[:1].lower() + message[1:], f"Correct the value of {key}", got=got)


def _no_such_environment(environment: str, known: Sequence[str]) -> InputError:
    return InputError(
        "There is no such environment",
        got=environment,
        allowed=", ".join(known),
        consequence="No configuration was read",
        next_step="Set ORDERS_ENV or --env to one of these",
    )
