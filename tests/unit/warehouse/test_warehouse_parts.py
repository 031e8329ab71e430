"""Guards the small parts of the warehouse: parameters, patterns, error classes, value forms, certificate, statement log."""

from __future__ import annotations

import datetime
import json
import ssl
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from cryptography import x509

from local_workspace.catalog import TableName
from local_workspace.delta.table_lock import table_lock
from local_workspace.errors import WorkspaceBusy
from local_workspace.layout import WorkspaceLayout
from local_workspace.sql.parameters import Parameter, bind
from local_workspace.sql.patterns import like_pattern, show_pattern
from local_workspace.sql.sql_error import SqlError, from_engine
from local_workspace.sql_warehouse.arrow_types import ValueForms, type_text
from local_workspace.sql_warehouse.protocol.certificate import ensure_credentials
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statement_log import StatementLog
from local_workspace.sql_warehouse.statements.describe import json_type


def test_parameters_become_literals() -> None:
    """Guards that values cannot leave their quotes, and that colons in paths, casts and strings are no markers."""
    values = [Parameter("a", "STRING", "'; DROP TABLE t; --\\"), Parameter("n", "DECIMAL(10,2)", "1.5")]
    assert (
        bind("SELECT :a, x::int, y:n, ':n', :N -- :a\nFROM t", values)
        == "SELECT '\\'; DROP TABLE t; --\\\\', x::int, y:n, ':n', CAST('1.5' AS DECIMAL(10,2)) -- :a\nFROM t"
    )
    items = (Parameter(None, "INT", "1"), Parameter(None, "VOID", None))
    assert (
        bind("SELECT ?, '?'", [Parameter(None, "ARRAY", None, items)])
        == "SELECT ARRAY(CAST('1' AS INT), NULL), '?'"
    )
    with pytest.raises(SqlError, match="UNBOUND_SQL_PARAMETER"):
        bind("SELECT :b", values)
    with pytest.raises(SqlError, match="is not a SQL type"):
        bind("SELECT :a", [Parameter("a", "INT) OR (1", "1")])


def test_patterns() -> None:
    """Guards the two pattern languages: stars and alternatives, and LIKE with escapes."""
    assert [n for n in ("gold", "Golden", "silver", "bronze") if show_pattern("gol*|SILVER")(n)] == [
        "gold",
        "Golden",
        "silver",
    ]
    assert show_pattern("a.b")("axb") is False
    assert [n for n in ("a_b", "axb", "a%b") if like_pattern(r"a\_b")(n)] == ["a_b"]
    assert like_pattern("A%")("abc")
    assert like_pattern(None)("anything")


@pytest.mark.parametrize(
    ("text", "error_class", "sqlstate"),
    [
        (
            "Table not found: [TABLE_OR_VIEW_NOT_FOUND] Table or view not found: t",
            "TABLE_OR_VIEW_NOT_FOUND",
            "42P01",
        ),
        (
            'attribute ObjectName([Identifier("nope")]) is missing from the schema: cannot resolve attribute',
            "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
            "42703",
        ),
        ("divide by zero", "DIVIDE_BY_ZERO", "22012"),
        ("Cannot cast string 'x' to value of Int32 type", "CAST_INVALID_INPUT", "22018"),
        ("unknown function: foo", "UNRESOLVED_ROUTINE", "42883"),
        ("Failed to commit transaction: 0", "DELTA_CONCURRENT_WRITE", "2D521"),
        ("invalid argument: found x at 1:2 expected y", "PARSE_SYNTAX_ERROR", "42601"),
        ("something that nobody has seen", "ENGINE_ERROR", "XX000"),
    ],
)
def test_engine_errors_get_databricks_classes(text: str, error_class: str, sqlstate: str) -> None:
    """Guards the classes and SQLSTATEs that dbt and other clients decide by."""
    error = from_engine(text)
    assert (error.error_class, error.sqlstate) == (error_class, sqlstate)
    assert str(error).startswith(f"[{error_class}] ")


def test_values_take_the_form_the_client_asks_for() -> None:
    """Guards arrays, maps, structs, decimals, intervals and dictionaries in native form and as text."""
    table = pa.table(
        {
            "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
            "s": pa.array([{"d": datetime.date(2024, 1, 2)}, None], pa.struct([("d", pa.date32())])),
            "p": pa.array([pa.scalar("1.50").cast(pa.decimal128(18, 2)).as_py(), None], pa.decimal128(18, 2)),
            "i": pa.array([datetime.timedelta(days=-1, hours=-2), None], pa.duration("us")),
            "c": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    native, text = (
        ValueForms().shape(table.schema),
        ValueForms(complex_as_arrow=False, decimal_as_arrow=False).shape(table.schema),
    )
    batch = table.to_batches()[0]
    assert native(batch).to_pylist()[0] == {
        "m": [("k", 1)],
        "s": {"d": datetime.date(2024, 1, 2)},
        "p": table["p"][0].as_py(),
        "i": "-1 02:00:00.000000000",
        "c": "x",
    }
    assert text(batch).to_pylist()[0]["m"] == '{"k":1}'
    assert text(batch).to_pylist()[0]["s"] == '{"d":"2024-01-02"}'
    assert text(batch).to_pylist()[0]["p"] == "1.50"
    assert text(batch).to_pylist()[1] == {"m": None, "s": None, "p": None, "i": None, "c": "y"}
    assert type_text(native.schema.field("s").type) == "STRUCT<d: DATE>"


def test_types_in_describe_as_json() -> None:
    """Guards the JSON form of nested types, which dbt turns back into DDL."""
    assert json_type("array<struct<`a b`:decimal(18,2),t:timestamp>>") == {
        "name": "array",
        "element_type": {
            "name": "struct",
            "fields": [
                {"name": "a b", "type": {"name": "decimal", "precision": 18, "scale": 2}, "nullable": True},
                {"name": "t", "type": {"name": "timestamp_ltz"}, "nullable": True},
            ],
        },
        "element_nullable": True,
    }
    assert json_type("map<string,array<bigint>>")["value_type"]["element_type"] == {"name": "bigint"}


def test_credentials_are_private_and_stay(tmp_path: Path) -> None:
    """Guards the certificate's names, file modes, that a second start keeps both, and a damaged file is replaced."""
    made = ensure_credentials(tmp_path / "run")
    assert made == ensure_credentials(tmp_path / "run")
    assert made.token not in repr(made)
    for file in (made.authority, made.certificate, made.key, tmp_path / "run" / "warehouse-token"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert isinstance(made.ssl_context(), ssl.SSLContext)
    assert made.authority.read_bytes() in made.bundle.read_bytes()
    for file in (
        made.certificate,
        made.key,
        made.authority,
        made.bundle,
        tmp_path / "run" / "warehouse-token",
    ):
        for content in (b"", b"damaged", b"\xff"):
            file.write_bytes(content)
            again = ensure_credentials(tmp_path / "run")
            assert again.ssl_context()
            assert len(again.token) == 36
            assert ssl.create_default_context(cafile=again.bundle)
            assert again.authority.read_bytes() in again.bundle.read_bytes()


def test_one_writer_per_table(tmp_path: Path) -> None:
    """Guards the lock: a second writer waits, and says so when it waited too long; other tables are free."""
    layout = WorkspaceLayout(tmp_path).create()
    name = TableName("c", "s", "T")
    with table_lock(layout, name):
        with (
            pytest.raises(WorkspaceBusy, match="held the table"),
            table_lock(layout, TableName("C", "S", "t"), wait_seconds=0.05),
        ):
            pytest.fail("two writers at once")
        with table_lock(layout, TableName("c", "s", "other"), wait_seconds=0.05):
            pass
    with table_lock(layout, name, wait_seconds=0.05):
        pass


def test_statement_log_lines(tmp_path: Path) -> None:
    """Guards the fields of a log line, and that the file does not grow without end."""
    log = StatementLog(tmp_path / "logs" / "statements.jsonl")
    session: Any = SimpleNamespace(id="s1", catalog_name="c", schema_name="x")
    log.write(session, "SELECT :a", 0.5, result=Result.of_affected(3))
    log.write(session, "SELEC", 0.1, error=SqlError("PARSE_SYNTAX_ERROR", "no", "42601"))
    lines = [json.loads(line) for line in (tmp_path / "logs" / "statements.jsonl").read_text().splitlines()]
    assert [(entry["outcome"], entry["affected_rows"], entry["statement"]) for entry in lines] == [
        ("ok", 3, "SELECT :a"),
        ("failed", None, "SELEC"),
    ]
    assert "42601" in lines[1]["error"]
