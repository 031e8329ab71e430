"""Settings, declarations and types of the Postgres export: what is refused before a connection is made."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from dbt_common.exceptions import DbtRuntimeError

from dbt_postgres_export.hook import export_relation
from dlt_ingest.metrics.postgres import (
    ExportDeclarationError,
    ExportSettingsError,
    ExportSpec,
    PostgresSettings,
)
from dlt_ingest.metrics.postgres.column_types import fits, postgres_type

LOCAL = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_DATABASE": "metrics", "POSTGRES_USER": "exporter"}


def settings(**changes: str) -> PostgresSettings:
    return PostgresSettings.from_environment({**LOCAL, **changes})


def test_defaults_are_careful() -> None:
    """Guards the defaults: a failed export fails the build, and only this machine is trusted without a certificate."""
    local = settings()
    assert (local.port, local.policy, local.attempts, local.sslmode) == (5432, "fail", 5, "prefer")
    assert local.password is None


@pytest.mark.parametrize(
    ("host", "sslmode", "rootcert"),
    [
        ("localhost", "prefer", None),
        ("127.8.0.1", "prefer", None),
        ("::1", "prefer", None),
        ("/var/run/postgresql", "prefer", None),
        ("db.example.com", "verify-full", "system"),
        ("10.0.0.5", "verify-full", "system"),
        ("localhost.example.com", "verify-full", "system"),
    ],
)
def test_another_machine_has_to_prove_who_it_is(host: str, sslmode: str, rootcert: str | None) -> None:
    """Guards the password on the wire: libpq's own default would send it to anyone."""
    found = settings(POSTGRES_HOST=host)
    assert (found.sslmode, found.sslrootcert) == (sslmode, rootcert)


def test_tls_can_be_chosen(tmp_path: Path) -> None:
    """Guards the two variables against being ignored."""
    authority = tmp_path / "ca.pem"
    authority.write_text("-", encoding="utf-8")
    found = settings(POSTGRES_HOST="db.example.com", POSTGRES_SSLROOTCERT=str(authority))
    assert (found.sslmode, found.sslrootcert) == ("verify-full", str(authority))
    assert settings(POSTGRES_HOST="db.example.com", POSTGRES_SSLMODE="require").sslrootcert is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PORT", "0"),
        ("POSTGRES_PORT", "x5432"),
        ("POSTGRES_PORT", "\u0665"),
        ("POSTGRES_SSLMODE", "yes"),
        ("POSTGRES_SSLROOTCERT", "/nonexistent.pem"),
        ("POSTGRES_PASSWORD_FILE", "/nonexistent"),
        ("ORDERS_EXPORT_POLICY", "ignore"),
        ("ORDERS_EXPORT_ATTEMPTS", "-1"),
        ("ORDERS_EXPORT_BATCH_ROWS", "1e6"),
        ("POSTGRES_USER", ""),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(name: str, value: str) -> None:
    """Guards against guessing: the variable, the value and what is allowed are in the message."""
    with pytest.raises(ExportSettingsError) as caught:
        settings(**{name: value})
    assert name in str(caught.value)
    assert value in str(caught.value)


def test_the_password_is_in_no_text(tmp_path: Path) -> None:
    """Guards repr and errors: dataclasses print all fields unless told otherwise."""
    found = settings(POSTGRES_PASSWORD="hunter2secret")
    assert found.password == "hunter2secret"
    assert "hunter2secret" not in repr(found) + str(found) + found.address
    with pytest.raises(ExportSettingsError) as caught:
        settings(POSTGRES_PASSWORD="hunter2secret", POSTGRES_PORT="no")
    assert "hunter2secret" not in str(caught.value) + repr(caught.value)


def test_a_password_file_must_be_private(tmp_path: Path) -> None:
    """Guards the file: a line break at its end is not a part of the password, and others must not read it."""
    secret = tmp_path / "password"
    secret.write_text("hunter2secret\n", encoding="utf-8")
    secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert settings(POSTGRES_PASSWORD_FILE=str(secret)).password == "hunter2secret"
    secret.chmod(0o644)
    with pytest.raises(ExportSettingsError, match="0600"):
        settings(POSTGRES_PASSWORD_FILE=str(secret))


def test_the_declaration_of_a_model_is_read() -> None:
    """Guards meta.export as models write it."""
    assert ExportSpec.from_meta("exp_x", {"key": ["a", "b"]}) == ExportSpec("exp_x", ("a", "b"))
    assert ExportSpec.from_meta(
        "exp_x", {"key": "a", "deletes": "mirror", "allow_empty": True}
    ) == ExportSpec("exp_x", ("a",), "mirror", True)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (None, "declares no key"),
        ({}, "declares no key"),
        ({"deletes": "mirror"}, "declares no key"),
        ({"key": []}, "at least one column"),
        ({"key": [1]}, "at least one column"),
        ({"key": ["a", "a"]}, "each column once"),
        ({"key": ["a"], "deletes": "yes"}, "keep, mirror"),
        ({"key": ["a"], "delete": "mirror"}, "got delete"),
        ({"key": ["a"], "allow_empty": "yes"}, "true, false"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(meta: object, words: str) -> None:
    """Guards a misspelt option: silently ignored, it would keep what was to be deleted."""
    with pytest.raises(ExportDeclarationError, match=words):
        ExportSpec.from_meta("exp_x", meta)


@pytest.mark.parametrize("name", ["Exp_X", "exp-x", "x" * 64, "1x", 'x"; drop'])
def test_a_table_name_that_needs_quotes_is_refused(name: str) -> None:
    """Guards the operators who type it: only names that work without quotes become tables."""
    with pytest.raises(ExportDeclarationError, match="target"):
        ExportSpec(name, ("a",))


@pytest.mark.parametrize(
    ("arrow", "postgres"),
    [
        (pa.decimal128(18, 2), "numeric(18,2)"),
        (pa.int64(), "bigint"),
        (pa.timestamp("us", "UTC"), "timestamp with time zone"),
        (pa.timestamp("us"), "timestamp without time zone"),
        (pa.uint64(), "numeric(20,0)"),
        (pa.list_(pa.int64()), "jsonb"),
        (pa.dictionary(pa.int8(), pa.string()), "text"),
    ],
    ids=str,
)
def test_types_of_the_warehouse_become_types_of_postgres(arrow: pa.DataType, postgres: str) -> None:
    """Guards the mapping, above all that money stays exact."""
    assert postgres_type("x", arrow) == postgres


@pytest.mark.parametrize(
    ("source", "existing", "kept"),
    [
        ("numeric(18,2)", "numeric(18,2)", True),
        ("numeric(18,2)", "numeric(20,2)", True),
        ("numeric(18,2)", "numeric(18,4)", False),
        ("numeric(18,2)", "numeric", True),
        ("numeric", "numeric(18,2)", False),
        ("bigint", "numeric(19,0)", True),
        ("bigint", "numeric(18,0)", False),
        ("bigint", "integer", False),
        ("bigint", "double precision", False),
        ("text", "character varying(20)", True),
        ("text", "character varying", True),
        ("text", "jsonb", False),
        ("date", "timestamp with time zone", False),
        ("double precision", "numeric", False),
    ],
)
def test_a_type_fits_only_if_every_value_does(source: str, existing: str, kept: bool) -> None:
    """Guards drift detection: a type that rounds, cuts or reinterprets a value does not fit."""
    assert fits(source, existing) is kept


def test_metrics_of_one_environment_never_reach_the_postgres_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Guards `dbt build --target prod` after `eval "$(orders env)"`: POSTGRES_* then name the laptop's database."""
    for name, value in {**LOCAL, "ORDERS_ENV": "local"}.items():
        monkeypatch.setenv(name, value)
    adapter = SimpleNamespace(config=SimpleNamespace(target_name="prod"))
    with pytest.raises(DbtRuntimeError, match=r"ORDERS_ENV=local and target prod.*POSTGRES_\* of prod"):
        export_relation(
            adapter, None, model="exp_business_metrics", export={"key": ["metric_date"]}, run_id="r"
        )
