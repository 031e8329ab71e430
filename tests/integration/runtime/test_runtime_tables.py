# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""What a declaration says about its table: schema, comments, properties, partitions, refresh and reset."""

from __future__ import annotations

from typing import Any

import pytest

from local_workspace.catalog import TableName
from local_workspace.errors import InputError

BRONZE = """
    @dlt.table(schema=SCHEMA)
    def rows():
        return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                .schema("id BIGINT, day STRING").load("/Volumes/main/bronze/files/landing").select(QUERY))
"""


def code(schema: str, query: str) -> str:
    return BRONZE.replace("SCHEMA", repr(schema)).replace("QUERY", query)


def test_a_declared_schema_orders_and_comments_the_columns(bench: Any) -> None:
    """Guards schema=: order and comments come from it, and reach the Delta table and the catalog."""
    bench.write(code("day STRING COMMENT 'The day, it\\'s UTC', id BIGINT NOT NULL, list ARRAY<STRUCT<a: INT>>",
                     "'id', 'day', F.expr('array(named_struct(\"a\", 1))').alias('list')"))  # fmt: skip
    bench.land("a.json", {"id": 1, "day": "d"})
    bench.good()
    assert list(bench.rows("bronze.rows")[0]) == ["day", "id", "list"]
    columns = {c.name: c.comment for c in bench.catalog.columns(bench.catalog.tables("main", "bronze")[0])}
    assert columns["day"] == "The day, it's UTC"


def test_a_check_of_the_table_holds_for_what_a_flow_adds(bench: Any) -> None:
    """Guards CHECK: the one of a table that is there, judged as Spark does, and the rows of the batch stay out."""
    bench.write(BRONZE.replace("schema=SCHEMA", "table_properties={'delta.constraints.low': 'id / 3 < 1.5'}")
                .replace("QUERY", "'id', F.expr('length(day)').alias('n')"))  # fmt: skip
    bench.land("a.json", {"id": 4, "day": "d"})
    bench.good()
    bench.land("b.json", {"id": 5, "day": "d"}, {"id": None, "day": "d"})
    result = bench.update()
    assert "CHECK constraint low (id / 3 < 1.5) violated" in (result.error or "")
    assert "2 rows" in (result.error or "")
    assert bench.rows("bronze.rows") == [{"id": 4, "n": 1}]


@pytest.mark.parametrize(
    ("schema", "query", "text"),
    [
        ("id STRING, day STRING", "'id', 'day'", "column id is bigint, declared string"),
        ("id BIGINT", "'id', 'day'", "column day is not declared"),
        ("id BIGINT, day STRING, x INT", "'id', 'day'", "column x is missing"),
        ("id BIGINT, CONSTRAINT c CHECK (id > 0)", "'id'", "is not supported"),
        ("id BIGINT, PRIMARY KEY (day)", "'id'", "names day, which is not declared"),
        ("id BIGINT PRIMARY KEY, day STRING PRIMARY KEY", "'id', 'day'", "two primary keys"),
        (
            "id BIGINT PRIMARY KEY",
            "F.expr('if(id > 1, id, null)').alias('id')",
            "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
        ),
        ("id BIGINT, day STRING NOT NULL", "'id', F.expr('nullif(day, day)').alias('day')", "1 rows of flow"),
        ("id", "'id'", "has no type for id"),
        ("id NOTYPE", "'id'", "NOTYPE"),
    ],
)
def test_a_query_that_does_not_fit_its_schema_fails(bench: Any, schema: str, query: str, text: str) -> None:
    """Guards the contract of a table: the difference is named, and no table is made."""
    bench.write(code(schema, query))
    bench.land("a.json", {"id": 1, "day": "d"})
    result = bench.update()
    assert not result.ok
    assert text in (result.error or "")
    assert not bench.layout.table_path("main", "bronze", "rows").exists()


KEYED = """
    @dlt.table(name="days", schema="day STRING, CONSTRAINT days_pk PRIMARY KEY (day) RELY")
    def days():
        return dlt.read("rows").select("day").distinct()

    @dlt.table(name="seen", schema="id BIGINT, day STRING NOT NULL CONSTRAINT KEY_OF_DAY REFERENCES days")
    def seen():
        return dlt.read("rows").join(dlt.read("days"), "day").select("id", "day")
"""


def test_declared_keys_are_what_the_catalog_shows(bench: Any) -> None:
    """Guards keys: recorded with names, columns and target; taken back when the declaration no longer has them."""

    def keys(table: str) -> list[tuple[Any, ...]]:
        found = bench.catalog.constraints(TableName("main", "bronze", table))
        return [
            (c.name, c.type, c.columns, c.references and c.references.table, c.referenced_columns)
            for c in found
        ]

    plain = code("id BIGINT, day STRING", "'id', 'day'")
    bench.write(plain + KEYED)
    bench.land("a.json", {"id": 1, "day": "d"}, {"id": 2, "day": "d"})
    bench.good()
    assert keys("days") == [("days_pk", "PRIMARY KEY", ("day",), None, ())]
    assert keys("seen") == [("KEY_OF_DAY", "FOREIGN KEY", ("day",), "days", ("day",))]
    assert {f.name: f.nullable for f in bench.delta("bronze.seen").schema().fields} == {
        "id": True,
        "day": False,
    }
    bench.write(plain + KEYED.replace("KEY_OF_DAY REFERENCES days", "other REFERENCES rows (day)"))
    bench.good()
    assert keys("seen") == [("other", "FOREIGN KEY", ("day",), "rows", ("day",))]
    bench.write(plain + KEYED.replace("CONSTRAINT KEY_OF_DAY REFERENCES days", "").replace("RELY", ""))
    bench.good()
    assert (len(keys("days")), keys("seen")) == (1, [])
    bench.write(plain + KEYED.replace("REFERENCES days", "REFERENCES nowhere"))
    assert "points to main.bronze.nowhere, which does not exist" in (bench.update().error or "")


def test_properties_partitions_and_temporary_tables(bench: Any) -> None:
    """Guards table_properties, partition_cols, cluster_by and temporary=True."""
    bench.write("""
    @dlt.table(table_properties={"quality": "gold", "delta.logRetentionDuration": "interval 30 days"}, partition_cols=["day"],
               comment="by day")
    def parts():
        return spark.range(4).selectExpr("id", "CASE id WHEN 0 THEN NULL WHEN 1 THEN 'a b/c=d' ELSE 'x' END AS day")

    @dlt.table(temporary=True)
    def scratch():
        return dlt.read("parts").where("day = 'x'")

    @dlt.table(cluster_by=["id"])
    def final():
        return dlt.read_stream("parts").union(dlt.read_stream("parts"))

    @dlt.table
    def after_scratch():
        return dlt.read("scratch")
    """)
    bench.good()
    table = bench.catalog.tables("main", "bronze")
    by_name = {t.name.table: t for t in table}
    assert set(by_name) == {"parts", "final", "after_scratch"}, "a temporary table is in no catalog"
    assert by_name["parts"].properties["quality"] == "gold"
    assert bench.delta("bronze.parts").metadata().partition_columns == ["day"]
    assert bench.column("bronze.parts", "day") == ["'a b/c=d'".strip("'"), "x", "x", None]
    assert len(bench.rows("bronze.final")) == 8
    assert bench.column("bronze.after_scratch", "id") == [2, 3]
    assert by_name["final"].properties["clusteringColumns"] == "id"


def test_full_refresh_of_all_or_of_one_table(bench: Any) -> None:
    """Guards full refresh: tables are rebuilt from what is there; a protected one is left; other selections are kept."""
    bench.write(
        code("id BIGINT, day STRING", "'id', 'day'")
        + """
    @dlt.table(table_properties={"pipelines.reset.allowed": "false"})
    def protected():
        return dlt.read("rows")

    @dlt.table
    def copy():
        return spark.readStream.option("skipChangeCommits", "true").table("rows").selectExpr("id * FACTOR AS id")
    """.replace("FACTOR", "1")
    )
    bench.land("a.json", {"id": 1, "day": "d"})
    bench.good()
    bench.write(
        (bench.code / "pipeline.py")
        .read_text()
        .split("import functions as F\n")[1]
        .replace("id * 1", "id * 2")
    )
    bench.land("b.json", {"id": 5, "day": "d"})
    bench.good()
    assert bench.column("bronze.copy", "id") == [1, 10], "old rows stay as the old code made them"
    bench.good(full_refresh=["copy"])
    assert bench.column("bronze.copy", "id") == [10, 2]
    result = bench.good(full_refresh=True)
    assert bench.column("bronze.rows", "id") == [1, 5]
    assert bench.column("bronze.copy", "id") == [10, 2]
    assert any("pipelines.reset.allowed" in w for w in result.warnings)
    with pytest.raises(InputError, match="no dataset of the pipeline"):
        bench.update(full_refresh=["nothing"])
    assert bench.column("bronze.rows", "id") == [1, 5]


def test_only_the_chosen_datasets_are_refreshed(bench: Any) -> None:
    """Guards refresh selection: what is not chosen stays, and is told as EXCLUDED."""
    bench.write(
        code("id BIGINT, day STRING", "'id', 'day'")
        + """
    @dlt.table
    def copy():
        return dlt.read("rows")
    """
    )
    bench.land("a.json", {"id": 1, "day": "d"})
    bench.good()
    bench.land("b.json", {"id": 2, "day": "d"})
    result = bench.good(refresh=["rows"])
    assert {n: d.status for n, d in result.datasets.items()} == {
        "main.bronze.rows": "COMPLETED",
        "main.bronze.copy": "EXCLUDED",
    }
    assert len(bench.rows("bronze.copy")) == 1


def test_a_changed_type_fails_and_names_the_way_out(bench: Any) -> None:
    """Guards a streaming table against a query that changes a column's type: refused, and cured by a full refresh."""
    bench.write(code("id BIGINT, day STRING", "'id', 'day'").replace("schema='id BIGINT, day STRING'", ""))
    bench.land("a.json", {"id": 1, "day": "d"})
    bench.good()
    bench.write(code("", "F.col('id').cast('string').alias('id'), 'day'").replace("schema=''", ""))
    bench.land("b.json", {"id": 2, "day": "d"})
    result = bench.update()
    assert "DELTA_MERGE_INCOMPATIBLE_DATATYPE" in (result.error or "")
    assert bench.column("bronze.rows", "id") == [1]
    bench.good(full_refresh=True)
    assert bench.column("bronze.rows", "id") == ["1", "2"]


def test_a_dry_run_moves_no_row(bench: Any) -> None:
    """Guards dry_run: the graph is checked and logged, no table appears."""
    bench.write(code("id BIGINT, day STRING", "'id', 'day'"))
    bench.land("a.json", {"id": 1, "day": "d"})
    result = bench.good(dry_run=True)
    assert [(d.status, d.rows_in) for d in result.datasets.values()] == [("CHECKED", 0)]
    assert bench.events("create_update")[0]["details"]["create_update"]["validate_only"] is True
    assert not bench.layout.table_path("main", "bronze", "rows").exists()


def test_an_empty_landing_is_no_error_when_the_schema_is_known(bench: Any) -> None:
    """Guards the first start of a workspace: tables exist with their columns before the first file; without hints it says why not."""
    bench.write("""
    @dlt.table
    def hinted():
        return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                .option("cloudFiles.schemaHints", "id STRING").load("/Volumes/main/bronze/files/landing"))

    @dlt.table
    def below():
        return dlt.read_stream("hinted")
    """)
    bench.good()
    assert bench.rows("bronze.below") == []
    bench.land("a.json", {"id": "x", "more": 1})
    bench.good()
    assert bench.column("bronze.below", "more") == ["1"]
    bench.write("""
    @dlt.table
    def unknown():
        return spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").load("/Volumes/main/bronze/files/empty")
    """)
    assert "CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE" in (bench.update().error or "")
