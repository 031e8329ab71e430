"""Guards the configuration: the committed files are usable, and each way of spoiling one is found by file and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from dlt_ingest.configurations import settings as settings_module
from dlt_ingest.configurations.loading import load_settings
from dlt_ingest.configurations.pipeline import PipelineSettings
from dlt_ingest.configurations.settings import CONFIGURATION_FOLDER, ENVIRONMENTS, Settings
from dlt_ingest.configurations.validation import (
    SCHEMA_FILE,
    settings_schema,
    settings_schema_text,
    validate_environments,
)
from dlt_ingest.errors import ConfigurationError, InputError

SECRET = "hunter2-never-shown"


def document(environment: str) -> dict:
    return json.loads((CONFIGURATION_FOLDER / f"{environment}.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for environment in ENVIRONMENTS:
        (tmp_path / f"{environment}.json").write_text(json.dumps(document(environment)))
    return tmp_path


def write(folder: Path, environment: str, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / f"{environment}.json").write_text(text)


def test_committed_files_have_no_error_and_only_placeholders_to_fill_in():
    """Guards the files that the project comes with; local needs nothing filled in."""
    findings = validate_environments()
    assert [str(f) for f in findings if f.severity == "error"] == []
    assert all("example value of the project" in f.what for f in findings)
    assert not [f for f in findings if f.file == "local.json"]


def test_every_setting_is_read_by_something():
    """Guards against a setting that a user fills in and nothing looks at."""
    project = CONFIGURATION_FOLDER.parents[1]
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("dlt_ingest", "orders")
        for path in sorted((project / folder).rglob("*.py"))
    )
    read = {name for name in Settings.model_fields if len(re.findall(rf"\b{name}\b", code)) > 1}
    assert set(Settings.model_fields) - read == set()


def test_committed_schema_is_current_and_accepts_the_committed_files():
    """Guards the editors' schema: generated from the class, never edited; every key is described."""
    assert (CONFIGURATION_FOLDER / SCHEMA_FILE).read_text() == settings_schema_text()
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for environment in ENVIRONMENTS:
        jsonschema.validate(document(environment), schema)
    assert all(prop.get("description") for prop in schema["properties"].values())
    defaults = {name: prop["default"] for name, prop in schema["properties"].items() if "default" in prop}
    jsonschema.validate({**document("local"), **defaults}, schema)


def changed(**changes):
    return lambda doc: {**doc, **changes}


def without(key):
    return lambda doc: {name: value for name, value in doc.items() if name != key}


@pytest.mark.parametrize(
    ("environment", "spoil", "key", "words"),
    [
        ("dev", changed(CATALOGUE_NAME="x"), "CATALOGUE_NAME", "Write CATALOG_NAME"),
        ("dev", changed(COLOUR="red"), "COLOUR", "there is no such setting"),
        ("dev", without("CATALOG_NAME"), "CATALOG_NAME", "missing"),
        ("dev", without("POSTGRES_HOST"), "POSTGRES_HOST", "missing"),
        ("dev", changed(TIME_ZONE="Asia/Tokio"), "TIME_ZONE", "Write Asia/Tokyo"),
        ("dev", changed(TIME_ZONE="CEST"), "TIME_ZONE", "no region"),
        ("dev", changed(TIME_ZONE=9), "TIME_ZONE", "string"),
        ("dev", changed(STATUS_NAMES={"DONE": "fullfilled"}), "STATUS_NAMES.DONE", "Write fulfilled"),
        ("dev", changed(STATUS_NAMES={"pending": "approved"}), "STATUS_NAMES.pending", "already a status"),
        ("dev", changed(FIELD_NAMES={"Preis": "prize"}), "FIELD_NAMES.Preis", "Write price"),
        (
            "dev",
            changed(FIELD_NAMES={"Status": "order_item"}),
            "FIELD_NAMES.Status",
            "column of bronze.orders",
        ),
        (
            "dev",
            changed(FIELD_NAMES={"batch_id": "order_id"}),
            "FIELD_NAMES.batch_id",
            "column of bronze.orders",
        ),
        (
            "dev",
            changed(FIELD_NAMES={"sku": "order_item", "name": "order_item"}),
            "FIELD_NAMES.name",
            "same meaning as sku",
        ),
        (
            "dev",
            changed(FIELD_NAMES={"No": "order_id", "NO": "customer_id"}),
            "FIELD_NAMES.NO",
            "only in case",
        ),
        ("dev", changed(FIELD_NAMES={"": "order_id"}), "FIELD_NAMES.", "at least 1"),
        ("dev", changed(FIELD_NAMES=["order_id"]), "FIELD_NAMES", "object"),
        ("dev", changed(POSTGRES_PORT="5432"), "POSTGRES_PORT", "integer"),
        ("dev", changed(POSTGRES_PORT=True), "POSTGRES_PORT", "integer"),
        ("dev", changed(POSTGRES_PORT=70000), "POSTGRES_PORT", "65535"),
        ("dev", changed(QUALITY_RATE_MINIMUM=95), "QUALITY_RATE_MINIMUM", "less than or equal to 1"),
        ("dev", changed(QUALITY_RATE_MINIMUM="0.95"), "QUALITY_RATE_MINIMUM", "should be a number"),
        ("dev", changed(SLOW_UPDATE_FACTOR=1), "SLOW_UPDATE_FACTOR", "greater than 1"),
        ("dev", changed(CATALOG_NAME="ecommerce-dev"), "CATALOG_NAME", "pattern"),
        ("dev", changed(POSTGRES_HOST="db.dev.shop.internal:5432"), "POSTGRES_HOST", "pattern"),
        ("dev", changed(NOTIFICATION_EMAILS="a@b.org"), "NOTIFICATION_EMAILS", "array"),
        ("dev", changed(NOTIFICATION_EMAILS=["nobody"]), "NOTIFICATION_EMAILS.0", "pattern"),
        (
            "dev",
            changed(FRESHNESS_SLA_MINUTES={"silver.orders": 0}),
            "FRESHNESS_SLA_MINUTES.silver.orders",
            "than",
        ),
        ("dev", changed(FRESHNESS_SLA_MINUTES={"orders": 5}), "FRESHNESS_SLA_MINUTES.orders", "pattern"),
        ("dev", changed(EXPORT_POLICY="ignore"), "EXPORT_POLICY", "'fail' or 'warn'"),
        ("dev", changed(POSTGRES_PASSWORD=SECRET), "POSTGRES_PASSWORD", "secret has no place"),
        (
            "dev",
            changed(WAREHOUSE_NAME=f"postgres://u:{SECRET}@h/d"),
            "WAREHOUSE_NAME",
            "looks like a secret",
        ),
        (
            "dev",
            changed(WAREHOUSE_NAME=f"https://hooks.slack.com/{SECRET}"),
            "WAREHOUSE_NAME",
            "looks like a secret",
        ),
        ("dev", changed(POSTGRES_HOST=f"postgres://u:{SECRET}@h/d"), "POSTGRES_HOST", "may be a secret"),
        ("dev", changed(POSTGRES_HOST="localhost"), "POSTGRES_HOST", "cluster itself"),
        ("dev", changed(POSTGRES_HOST="127.0.0.1"), "POSTGRES_HOST", "cluster itself"),
        ("prod", changed(POSTGRES_HOST="::1"), "POSTGRES_HOST", "cluster itself"),
        ("prod", changed(CATALOG_NAME="ecommerce_dev"), "CATALOG_NAME", "names dev"),
        ("prod", changed(CATALOG_NAME="ecommerce_test"), "CATALOG_NAME", "names a test"),
        ("prod", changed(POSTGRES_HOST="db.staging.shop.internal"), "POSTGRES_HOST", "names staging"),
        ("prod", changed(SECRET_SCOPE="orders_dev"), "SECRET_SCOPE", "names dev"),
        ("dev", changed(CATALOG_NAME="ecommerce_prod"), "CATALOG_NAME", "names prod"),
        ("prod", changed(POSTGRES_SSLMODE="require"), "POSTGRES_SSLMODE", "too weak for prod"),
        ("staging", changed(POSTGRES_SSLMODE="verify-ca"), "POSTGRES_SSLMODE", "too weak for staging"),
        ("prod", without("RUN_AS_SERVICE_PRINCIPAL"), "RUN_AS_SERVICE_PRINCIPAL", "missing for prod"),
        ("prod", changed(NOTIFICATION_EMAILS=[]), "NOTIFICATION_EMAILS", "nobody would be notified"),
        ("prod", lambda doc: '{"CATALOG_NAME": "a", "CATALOG_NAME": "b"}', "CATALOG_NAME", "twice"),
        ("prod", lambda doc: '{\n  "CATALOG_NAME": }', "", "line 2"),
        ("prod", lambda doc: "[]", "", "not a JSON object"),
    ],
)
def test_each_mistake_is_found_by_file_and_key(folder, environment, spoil, key, words):
    """Guards the validation: one mistake, an error that names file and key, and never the secret itself."""
    write(folder, environment, spoil(document(environment)))
    errors = [f for f in validate_environments([environment], folder) if f.severity == "error"]
    assert [f for f in errors if f.key == key and words in str(f)], [str(f) for f in errors]
    assert all(f.file == f"{environment}.json" and f.remedy for f in errors)
    assert SECRET not in " ".join(str(f) for f in errors)


def test_two_environments_must_not_share_tables_or_metrics(folder):
    """Guards against a copied file: shared catalog or metrics database is found though each file is fine by itself."""
    shared = {"CATALOG_NAME": "shop", "POSTGRES_HOST": "db.shop.internal", "POSTGRES_DATABASE": "metrics"}
    for environment in ("dev", "prod"):
        write(folder, environment, {**document(environment), **shared})
    found = {(f.file, f.key) for f in validate_environments(folder=folder) if f.severity == "error"}
    assert found == {("prod.json", "CATALOG_NAME"), ("prod.json", "POSTGRES_DATABASE")}


def test_a_missing_file_is_a_finding_and_a_missing_environment_a_refusal(folder):
    """Guards `config validate`: a deleted file must not make an environment vanish from the check."""
    (folder / "staging.json").unlink()
    assert [f.what for f in validate_environments(["staging"], folder)] == ["the file is missing"]
    with pytest.raises(InputError, match="qa"):
        validate_environments(["qa"], folder)


def test_settings_are_frozen_and_give_the_pipeline_its_configuration():
    """Guards the seam to DLT: the dictionary is strings, and what it says is what PipelineSettings reads back."""
    settings = load_settings("dev", environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.CATALOG_NAME = "other"
    configuration = settings.pipeline_configuration(run_id="r1")
    assert configuration == {
        "orders.environment": "dev",
        "orders.landing_path": "/Volumes/ecommerce_dev/bronze/files/orders/landing",
        "orders.run_id": "r1",
    }

    class Session:
        class conf:  # noqa: N801  # as Spark names it
            get = configuration.get

    assert PipelineSettings.from_spark(Session) == PipelineSettings(settings.landing_path, None)
    del configuration["orders.landing_path"]
    with pytest.raises(ConfigurationError, match=r"orders\.landing_path"):
        PipelineSettings.from_spark(Session)


def test_environment_variables_override_the_address_of_postgres_only():
    """Guards the one way around the file: types are checked, the catalog cannot be moved, a wrong value is named."""
    environ = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "6543", "CATALOG_NAME": "elsewhere"}
    settings = load_settings("local", environ=environ)
    assert (settings.POSTGRES_HOST, settings.POSTGRES_PORT, settings.catalog) == (
        "127.0.0.1",
        6543,
        "ecommerce_local",
    )
    assert settings.environment == "local"
    with pytest.raises(ConfigurationError, match="POSTGRES_PORT"):
        load_settings("local", environ={"POSTGRES_PORT": "a lot"})
    assert set(settings_module.OVERRIDABLE) <= set(Settings.model_fields)


def test_an_unusable_file_is_refused_when_it_is_loaded(folder):
    """Guards every command: a dangerous value stops it before anything is done."""
    write(folder, "prod", {**document("prod"), "POSTGRES_SSLMODE": "disable"})
    with pytest.raises(ConfigurationError, match=r"prod\.json: POSTGRES_SSLMODE"):
        load_settings("prod", folder=folder, environ={})
