"""Guards what single statements do: names, tables, rows, views, rules, metadata; each as Databricks answers it."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from deltalake import DeltaTable


def test_values_arrive_as_their_types(client: Any) -> None:
    """Guards types on the wire, exact decimals above all, with bound parameters of both kinds."""
    row = client.rows(
        "SELECT :n + 1, :d, :s, :t, :f, :b, cast(1.10 AS decimal(18,2)), array(1, 2), map('k', 1),"
        " named_struct('x', date '2024-02-29'),"
        " interval 1 day, cast('2024-01-01 10:00:00' AS timestamp), x'0aff', NULL, parse_json('{\"a\": [1]}')",
        {
            "n": 41,
            "d": Decimal("12.345"),
            "s": "it's a \\ 'test'",
            "t": datetime.date(2024, 1, 2),
            "f": 1.5,
            "b": True,
        },
    )[0]
    assert row[:7] == (
        42,
        Decimal("12.345"),
        "it's a \\ 'test'",
        datetime.date(2024, 1, 2),
        1.5,
        True,
        Decimal("1.10"),
    )
    assert list(row[7]) == [1, 2]
    assert dict(row[8]) == {"k": 1}
    assert row[9] == {"x": datetime.date(2024, 2, 29)}
    assert row[10] == "1 00:00:00.000000000"
    assert row[11] == datetime.datetime(2024, 1, 1, 10, tzinfo=datetime.timezone.utc)
    assert (row[12], row[13], row[14]) == (b"\x0a\xff", None, '{"a":[1]}')
    assert client.rows("SELECT ? || ?, 'a?b:c'", ["x", "y"]) == [("xy", "a?b:c")]
    assert "UNBOUND_SQL_PARAMETER" in client.error("SELECT :missing", {"given": 1})
    assert client.columns("SELECT 1 AS a, 'x' AS b, cast(1 AS decimal(5,1)) AS c WHERE false") == [
        ("a", "int"),
        ("b", "string"),
        ("c", "decimal"),
    ]


def test_names_have_no_case_and_quotes_hold(client: Any) -> None:
    """Guards names: any case, three levels, quoted, as qualifiers of columns, shadowed by CTEs and aliases."""
    client.run(
        "CREATE TABLE Orders AS SELECT 1 AS Id, 'a' AS `order`",
        "CREATE VIEW V AS SELECT ID AS `x y`, `order` FROM ORDERS",
    )
    schema = client.rows("SELECT current_schema()")[0][0]
    assert client.rows("SELECT orders.ID, V.`x y` AS y FROM oRdErS JOIN v ON orders.id = v.`X Y`") == [(1, 1)]
    assert client.rows(
        f"SELECT ecommerce_local.{schema}.orders.id FROM ECOMMERCE_LOCAL.{schema.upper()}.orders"
    ) == [(1,)]
    assert client.rows("WITH orders AS (SELECT id + 1 AS id FROM orders) SELECT id FROM orders") == [(2,)]
    assert client.rows(
        "SELECT (SELECT max(id) FROM orders) AS m, extract(year FROM date '2024-01-01') AS y"
    ) == [(1, 2024)]
    assert client.rows(
        "SELECT o.*, v.`x y` AS y, v.`order` AS z FROM (orders) o, v WHERE o.id IS NOT DISTINCT FROM v.`x y`"
    ) == [(1, "a", 1, "a")]
    assert client.rows("SELECT 'from orders' AS t -- from nowhere\n /* from nowhere */ FROM orders") == [
        ("from orders",)
    ]
    assert client.rows("SELECT current_catalog(), current_user()")[0][0] == "ecommerce_local"
    assert "[TABLE_OR_VIEW_NOT_FOUND]" in (error := client.error("SELECT * FROM nothing_here")), error
    assert "42P01" in error
    assert "name `nope` cannot be resolved" in client.error("SELECT nope FROM orders")
    assert "[SCHEMA_NOT_FOUND]" in client.error("CREATE TABLE no_schema.t AS SELECT 1 AS a")
    assert "NO_SUCH_CATALOG" in client.error("USE CATALOG no_catalog")


def test_create_table_as_is_one_commit_with_nullable_columns(client: Any, warehouse: Any) -> None:
    """Guards CTAS: literals are nullable, a replacement changes columns and partitioning at once and keeps the history."""
    client.run(
        "CREATE TABLE t PARTITIONED BY (p) COMMENT 'first' AS SELECT 1 AS a, 'x' AS p, array('y') AS l, 'lit' AS c"
    )
    assert client.rows("INSERT INTO t VALUES (NULL, NULL, array(NULL), NULL)") == [(1, 1)]
    client.run(
        "CREATE OR REPLACE TABLE t TBLPROPERTIES ('owner' = 'me') "
        "AS SELECT a + 1 AS a, 'new' AS z FROM t WHERE a IS NOT NULL"
    )
    assert client.rows("SELECT * FROM t") == [(2, "new")]
    assert client.rows("SELECT a, p FROM t VERSION AS OF 1 ORDER BY a NULLS LAST") == [(1, "x"), (None, None)]
    schema = client.rows("SELECT current_schema()")[0][0]
    folder = warehouse.home / "warehouse" / "ecommerce_local" / schema / "t"
    table = DeltaTable(folder)
    assert (table.version(), table.metadata().partition_columns) == (2, [])
    assert all(field.nullable for field in table.schema().fields)
    assert not (folder / "_staging").exists()
    assert client.rows("SHOW TBLPROPERTIES t") == [("owner", "me")]
    assert "TABLE_OR_VIEW_ALREADY_EXISTS" in client.error("CREATE TABLE t AS SELECT 1 AS a")
    client.run(
        "CREATE TABLE IF NOT EXISTS t AS SELECT 'other' AS b", "DROP TABLE t", "DROP TABLE IF EXISTS t"
    )
    assert not folder.exists()
    assert "TABLE_OR_VIEW_NOT_FOUND" in client.error("DROP TABLE t")


def test_failed_replacement_leaves_the_table_as_it_was(client: Any) -> None:
    """Guards that a query that fails in the middle of its rows, or breaks a rule, changes nothing."""
    client.run(
        "CREATE TABLE t (a INT NOT NULL, b STRING, CONSTRAINT positive CHECK (a > 0))",
        "INSERT INTO t VALUES (1, 'x')",
    )
    assert "DIVIDE_BY_ZERO" in client.error(
        "CREATE OR REPLACE TABLE t AS SELECT 1 / (id - 5000) AS a FROM range(10000)"
    )
    # A CHECK that is NULL does not hold, and Delta tells it before the missing value.
    assert "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES" in client.error("INSERT INTO t (b) VALUES ('no a')")
    assert "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES" in client.error("INSERT INTO t VALUES (2, 'y'), (-1, 'z')")
    assert "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES" in client.error("UPDATE t SET a = -5")
    merge = "MERGE INTO t USING (SELECT 1 AS a, 'm' AS b) s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = -1"
    assert "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES" in client.error(merge)
    assert client.rows("SELECT * FROM t") == [(1, "x")]
    client.run("ALTER TABLE t DROP CONSTRAINT positive", "UPDATE t SET a = -5")
    assert "DELTA_NOT_NULL_CONSTRAINT_VIOLATED" in client.error("INSERT INTO t (b) VALUES ('no a')")
    broken = client.error("ALTER TABLE t ADD CONSTRAINT again CHECK (a > 0)")
    assert "DELTA_NEW_CHECK_CONSTRAINT_VIOLATION" in broken
    client.run("CREATE OR REPLACE TABLE t AS SELECT -7 AS a", "INSERT INTO t VALUES (NULL)")
    assert client.rows("SELECT count(*) FROM t") == [(2,)]


def test_changes_report_how_many_rows_they_touched(client: Any) -> None:
    """Guards affected rows of every change, and INSERT by name in any case, by list, by position."""
    client.run("CREATE TABLE t (id BIGINT, Name STRING, price DECIMAL(18,2))")
    assert client.affected("INSERT INTO t VALUES (1, 'a', 1.005), (2, 'b', 2)") == 2
    assert client.affected("INSERT INTO t BY NAME SELECT 'c' AS NAME, 3 AS ID") == 1
    assert client.affected("INSERT INTO t (price, id) SELECT 4.5, 4") == 1
    assert client.affected("UPDATE t SET price = 0 WHERE price IS NULL") == 1
    assert client.affected("DELETE FROM t WHERE id = 4") == 1
    assert client.affected("DELETE FROM t WHERE id = 4") == 0
    client.run("CREATE TABLE gone AS SELECT 1 AS a UNION ALL SELECT 2")
    assert client.affected("TRUNCATE TABLE gone") == 2
    assert client.rows("SELECT count(*) AS n FROM gone") == [(0,)]
    source = "(SELECT 1 AS id, 'A' AS name UNION ALL SELECT 9, 'i')"
    assert (
        client.affected(
            f"MERGE INTO t AS x USING {source} AS s ON x.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name"
            " WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)"
        )
        == 2
    )
    assert client.rows("SELECT * FROM t ORDER BY id") == [
        (1, "A", Decimal("1.01")),
        (2, "b", Decimal("2.00")),
        (3, "c", Decimal("0.00")),
        (9, "i", None),
    ]
    assert client.affected("INSERT OVERWRITE t SELECT 5, 'only', 5") == 1
    assert client.rows("SELECT count(*), max(id) FROM t") == [(1, 5)]
    assert "INSERT_COLUMN_ARITY_MISMATCH" in client.error("INSERT INTO t VALUES (1)")
    assert "has no column" in client.error("INSERT INTO t BY NAME SELECT 1 AS id, 2 AS unknown")
    assert "CAST_INVALID_INPUT" in client.error("INSERT INTO t VALUES ('text', 'x', 1)")


def test_delete_takes_any_condition(client: Any) -> None:
    """Guards conditions that the engine refuses in DELETE: subqueries and coalesce; rows where it is NULL stay."""
    client.run(
        "CREATE TABLE t PARTITIONED BY (k) AS SELECT * FROM VALUES (1, 'a'), (2, 'b'), (3, NULL), (NULL, 'n') AS v(k, s)",
        "CREATE VIEW keys AS SELECT 1 AS k",
    )
    assert client.affected("DELETE FROM t WHERE k IN (SELECT k FROM keys)") == 1
    assert client.affected("DELETE FROM t AS x WHERE EXISTS (SELECT 1 FROM keys WHERE keys.k + 1 = x.k)") == 1
    assert (
        client.affected("DELETE FROM t WHERE coalesce(trim(s), '') = '' AND concat_ws('-', k, s) RLIKE '^3'")
        == 1
    )
    assert client.affected("DELETE FROM t WHERE k IN (SELECT 77)") == 0
    assert client.rows("SELECT k, s FROM t") == [(None, "n")]


def test_partial_replacements_are_single_commits(client: Any) -> None:
    """Guards REPLACE WHERE and REPLACE ON, NULL keys and doubled keys included."""
    client.run(
        "CREATE TABLE t PARTITIONED BY (k) AS SELECT * FROM VALUES (1, 'a'), (1, 'b'), (2, 'c'), (NULL, 'n') AS v(k, v)"
    )
    before = client.rows("DESCRIBE HISTORY t LIMIT 1")[0][0]
    client.run(
        "INSERT INTO TABLE t AS target REPLACE ON (target.`k` <=> temp.`k`)"
        " (SELECT k, v FROM VALUES (1, 'A'), (1, 'B'), (NULL, 'N'), (7, 'z') AS s(k, v)) AS temp"
    )
    assert client.rows("SELECT k, v FROM t ORDER BY k NULLS FIRST, v") == [
        (None, "N"),
        (1, "A"),
        (1, "B"),
        (2, "c"),
        (7, "z"),
    ]
    client.run("INSERT INTO t BY NAME REPLACE WHERE k >= 2 AND k IN (2, 7) SELECT 'W' AS v, 2 AS k")
    assert client.rows("SELECT k, v FROM t WHERE k > 1") == [(2, "W")]
    assert "DELTA_REPLACE_WHERE_MISMATCH" in client.error("INSERT INTO t REPLACE WHERE k = 2 SELECT 3, 'x'")
    client.run("INSERT INTO t REPLACE WHERE k = 2 SELECT 2, 'x' WHERE false")
    assert client.rows("SELECT count(*) FROM t WHERE k = 2") == [(0,)]
    assert client.rows("DESCRIBE HISTORY t LIMIT 1")[0][0] == before + 3
    # Any condition, not only equalities.
    client.run("INSERT INTO t AS a REPLACE ON (a.k > b.k OR a.v = 'N') (SELECT 0 AS k, 'x' AS v) AS b")
    assert client.rows("SELECT k, v FROM t") == [(0, "x")]


def test_columns_change(client: Any) -> None:
    """Guards ALTER TABLE on columns, with their comments, and that earlier rows keep their values."""
    client.run(
        "CREATE TABLE t (id INT COMMENT 'key', note STRING) COMMENT 'it\\'s a table'",
        "INSERT INTO t VALUES (1, 'n')",
        "ALTER TABLE t ADD COLUMNS (added DECIMAL(10,2) COMMENT 'new', other ARRAY<STRUCT<x: INT>>)",
        "ALTER TABLE t DROP COLUMNS (note, other)",
        "ALTER TABLE t ALTER COLUMN id TYPE BIGINT",
        "ALTER TABLE t RENAME COLUMN added TO price",
        "COMMENT ON COLUMN t.id IS 'the key'",
        "INSERT INTO t VALUES (5000000000, 1.5)",
    )
    assert client.rows("SELECT * FROM t ORDER BY id") == [(1, None), (5000000000, Decimal("1.50"))]
    assert client.rows("DESCRIBE TABLE t") == [("id", "bigint", "the key"), ("price", "decimal(10,2)", "new")]
    assert "UNRESOLVED_COLUMN" in client.error("ALTER TABLE t DROP COLUMN nope")
    assert "FIELD_ALREADY_EXISTS" in client.error("ALTER TABLE t ADD COLUMN (ID int)")
    client.run("ALTER TABLE t RENAME TO renamed", "ALTER TABLE renamed ALTER COLUMN id SET NOT NULL")
    assert "NOT_NULL" in client.error("INSERT INTO renamed VALUES (NULL, 1)")
    client.run("ALTER TABLE renamed ALTER COLUMN id DROP NOT NULL", "INSERT INTO renamed VALUES (NULL, 1)")
    assert client.rows("SELECT count(*) FROM renamed") == [(3,)]
    merge = "MERGE WITH SCHEMA EVOLUTION INTO renamed t USING (SELECT 1 AS id, 'x' AS extra) s ON t.id = s.id"
    client.run(merge + " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
    assert client.rows("SELECT extra FROM renamed WHERE id = 1") == [("x",)]


def test_views_are_read_as_written(client: Any) -> None:
    """Guards views: quotes and context kept, columns renamed, views on views, replaced, temporary ones per session."""
    client.run(
        "CREATE TABLE t AS SELECT 1 AS a, 'it''s' AS b",
        "CREATE VIEW v (`first one` COMMENT 'c1', second) COMMENT 'view' TBLPROPERTIES ('k' = 'v') AS (SELECT a, b FROM t)",
        "CREATE VIEW w AS SELECT v.`first one` AS x, 'q\\'x' AS q FROM v",
    )
    assert client.rows("SELECT * FROM w") == [(1, "q'x")]
    schema = client.rows("SELECT current_schema()")[0][0]
    client.run("USE SCHEMA silver")
    assert client.rows(f"SELECT * FROM {schema}.w") == [(1, "q'x")]
    client.run(
        f"USE SCHEMA {schema}",
        "CREATE OR REPLACE TEMPORARY VIEW tmp AS SELECT * FROM w",
        "CREATE OR REPLACE TABLE t AS SELECT 2 AS a, 'z' AS b",
    )
    assert client.rows("SELECT x FROM TMP") == [(2,)]
    client.run(
        "CREATE OR REPLACE TEMPORARY VIEW tmp AS SELECT x + 1 AS x FROM tmp", "CREATE TABLE copy AS TABLE tmp"
    )
    assert client.rows("SELECT x FROM copy") == [(3,)]
    assert json.loads(client.rows("DESCRIBE TABLE EXTENDED v AS JSON")[0][0])["columns"][0]["comment"] == "c1"
    assert "RECURSIVE_VIEW" in client.error(
        f"CREATE OR REPLACE VIEW v AS SELECT * FROM ecommerce_local.{schema}.v"
    )
    assert "TABLE_OR_VIEW_NOT_FOUND" in client.error("CREATE VIEW broken AS SELECT * FROM nowhere")
    assert "is a table" in client.error("CREATE OR REPLACE VIEW t AS SELECT 1 AS a")
    assert "is a view" in client.error("CREATE OR REPLACE TABLE v AS SELECT 1 AS a")
    assert "is a view" in client.error("DROP TABLE v")
    client.run("ALTER VIEW v AS SELECT a FROM t", "DROP VIEW w", "DROP TABLE t")
    assert "TABLE_OR_VIEW_NOT_FOUND" in client.error("SELECT * FROM v")
    assert client.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'v' AND table_schema = current_schema()"
    ) == [("a",)]


def test_governance_is_recorded_where_clients_look(client: Any) -> None:
    """Guards keys, tags, comments, grants and properties in SHOW, DESCRIBE and information_schema."""
    client.run(
        "CREATE TABLE parent (id BIGINT NOT NULL COMMENT 'k', CONSTRAINT parent_pk PRIMARY KEY (id))",
        "CREATE TABLE child (pid BIGINT, d DATE)",
        "ALTER TABLE child ADD CONSTRAINT child_fk FOREIGN KEY (pid) REFERENCES parent (id)",
        "ALTER TABLE child SET TAGS ('layer' = 'gold', 'pii')",
        "ALTER TABLE child ALTER COLUMN pid SET TAGS ('kind' = 'id')",
        "ALTER TABLE child CLUSTER BY (d)",
        "GRANT SELECT, MODIFY ON TABLE child TO `readers`",
        "GRANT USE SCHEMA ON SCHEMA gold TO `readers`",
        "REVOKE MODIFY ON TABLE child FROM `readers`",
    )
    where = "WHERE table_schema = current_schema()"
    assert client.rows(
        f"SELECT table_name, constraint_type FROM information_schema.table_constraints {where} ORDER BY 1"
    ) == [
        ("child", "FOREIGN KEY"),
        ("parent", "PRIMARY KEY"),
    ]
    joined = client.rows(
        "SELECT k.column_name, u.table_name, u.column_name AS used FROM system.information_schema.key_column_usage k"
        " JOIN system.information_schema.referential_constraints r ON k.constraint_name = r.constraint_name"
        " AND k.constraint_schema = r.constraint_schema JOIN system.information_schema.constraint_column_usage u"
        " ON u.constraint_name = r.constraint_name AND u.constraint_schema = r.constraint_schema"
        " WHERE k.table_schema = current_schema() AND k.constraint_name = 'child_fk'"
    )
    assert joined == [("pid", "parent", "id")]
    assert client.rows(
        "SELECT tag_name, tag_value FROM information_schema.table_tags WHERE schema_name = current_schema() ORDER BY 1"
    ) == [
        ("layer", "gold"),
        ("pii", ""),
    ]
    assert client.rows(
        "SELECT column_name, tag_name FROM information_schema.column_tags WHERE schema_name = current_schema()"
    ) == [("pid", "kind")]
    assert [row[:2] for row in client.rows("SHOW GRANTS ON TABLE child")] == [("readers", "SELECT")]
    assert client.rows(
        f"SELECT grantee, privilege_type FROM information_schema.table_privileges {where}"
    ) == [("readers", "SELECT")]
    assert ("clusteringColumns", '[["d"]]') in client.rows("SHOW TBLPROPERTIES child")
    facts = json.loads(client.rows("DESCRIBE TABLE EXTENDED child AS JSON")[0][0])
    assert "FOREIGN KEY (`pid`) REFERENCES" in facts["table_constraints"]
    assert facts["clustering_information"] == {"clustering_columns": ["d"]}
    statement = client.rows("SHOW CREATE TABLE parent")[0][0]
    assert "`id` BIGINT NOT NULL COMMENT 'k'" in statement
    assert "CONSTRAINT `parent_pk` PRIMARY KEY (`id`)" in statement
    assert "PRIMARY_KEY_COLUMN_NULLABLE" in client.error(
        "ALTER TABLE child ADD CONSTRAINT p PRIMARY KEY (pid)"
    )
    assert "TABLE_OR_VIEW_NOT_FOUND" in client.error("GRANT SELECT ON TABLE nowhere TO x")
    client.run(
        "CREATE OR REPLACE TABLE parent (id BIGINT NOT NULL, CONSTRAINT p2 PRIMARY KEY (id))",
        "ALTER TABLE child UNSET TAGS ('pii')",
    )
    assert client.rows(
        f"SELECT constraint_name FROM information_schema.table_constraints {where} AND constraint_type = 'PRIMARY KEY'"
    ) == [("p2",)]


def test_maintenance_is_real(client: Any, warehouse: Any) -> None:
    """Guards OPTIMIZE, VACUUM, RESTORE, DESCRIBE DETAIL and clones on a real Delta table."""
    client.run("CREATE TABLE t (a INT)", *(f"INSERT INTO t VALUES ({i})" for i in range(4)))
    assert client.rows("SELECT numFiles FROM (SELECT 1) CROSS JOIN (SELECT 4 AS numFiles)") == [(4,)]
    detail = dict(
        zip(
            [c[0] for c in client.columns("DESCRIBE DETAIL t")],
            client.rows("DESCRIBE DETAIL t")[0],
            strict=True,
        )
    )
    assert (detail["format"], detail["numFiles"]) == ("delta", 4)
    client.run("OPTIMIZE t")
    assert client.rows("DESCRIBE DETAIL t")[0][9] == 1
    assert client.rows("SELECT sum(a), count(*) FROM t") == [(6, 4)]
    assert "RETENTION_PERIOD_TOO_SHORT" in client.error("VACUUM t RETAIN 0 HOURS")
    assert "numFilesRemoved" in client.rows("REORG TABLE t APPLY (PURGE)")[0][1]
    assert "APPLY (PURGE)" in client.error(
        "REORG TABLE t APPLY (UPGRADE UNIFORM (ICEBERG_COMPAT_VERSION = 2))"
    )
    assert len(client.rows("VACUUM t RETAIN 0 HOURS DRY RUN")) == 4
    assert "DELTA_TIMESTAMP_INVALID" in client.error("RESTORE TABLE t TO TIMESTAMP AS OF 'yesterday'")
    client.run("CREATE TABLE deep SHALLOW CLONE t", "RESTORE TABLE t TO VERSION AS OF 1")
    assert client.rows("SELECT (SELECT count(*) FROM t) AS a, (SELECT count(*) FROM deep) AS b") == [(1, 4)]
    operations = [row[4] for row in client.rows("DESCRIBE HISTORY t")]
    assert operations[0] == "RESTORE"
    assert "OPTIMIZE" in operations
    lines = (warehouse.home / "logs" / "statements.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines if "OPTIMIZE t" in line]
    assert logged
    assert logged[-1]["outcome"] == "ok"


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "CREATE MATERIALIZED VIEW"),
        ("CREATE FUNCTION f(x INT) RETURNS INT LANGUAGE PYTHON AS $$ return x $$", "a function in Python"),
        ("COPY INTO t FROM '/Volumes/x'", "COPY INTO"),
        ("SET spark.sql.shuffle.partitions = 4", "SET spark.sql.shuffle.partitions"),
        ("CREATE TABLE x (a INT) LOCATION '/elsewhere'", "LOCATION"),
        ("CREATE TABLE x (a INT GENERATED ALWAYS AS IDENTITY)", "GENERATED"),
        ("CREATE TABLE x USING parquet AS SELECT 1 AS a", "parquet"),
        ("ALTER TABLE nations SET ROW FILTER f ON (a)", "TABLE_OR_VIEW_NOT_FOUND"),
        ("KILL 7", "KILL"),
        ("CREATE TABLE x AS SELECT NULL AS nothing", "CAST(NULL AS STRING) AS nothing"),
    ],
)
def test_what_is_not_supported_says_so(client: Any, statement: str, names: str) -> None:
    """Guards that no statement is silently ignored: each refusal names the statement or clause."""
    assert names in client.error(statement)


def test_databricks_dialect_is_translated_once(client: Any) -> None:
    """Guards the retry through sqlglot for queries that the engine cannot parse, and errors that stay the user's own."""
    client.run("CREATE TABLE t AS SELECT * FROM VALUES ('a', 1), ('a', 2), ('b', 3) AS v(k, n)")
    assert client.rows(
        "SELECT k, n FROM t QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC) = 1 ORDER BY k"
    ) == [("a", 2), ("b", 3)]
    assert client.rows("SELECT iff(n > 2, 'big', 'small') AS s FROM t WHERE n = 3") == [("big",)]
    assert "PARSE_SYNTAX_ERROR" in client.error("SELECT FROM WHERE")
    assert "PARSE_SYNTAX_ERROR" in client.error("SELECT 1; SELECT 2")


def test_metadata_calls(client: Any) -> None:
    """Guards cursor.catalogs(), schemas(), tables() and columns(), which BI clients use instead of SQL."""
    client.run("CREATE TABLE one (a INT, b STRING)", "CREATE VIEW two AS SELECT a FROM one")
    schema = client.rows("SELECT current_schema()")[0][0]
    with client.connection.cursor() as cursor:
        assert ("ecommerce_prod",) in [tuple(row) for row in cursor.catalogs().fetchall()]
        assert schema in [row[0] for row in cursor.schemas(catalog_name="ecommerce_local").fetchall()]
        found = [tuple(row)[2:4] for row in cursor.tables(schema_name=schema).fetchall()]
        assert found == [("one", "TABLE"), ("two", "VIEW")]
        columns = [tuple(row)[3] for row in cursor.columns(schema_name=schema, table_name="o%").fetchall()]
        assert columns == ["a", "b"]
