# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""What pipeline code may write: names, views, SQL text, hidden metadata, and errors that are found before a row moves."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from local_workspace.dlt_runtime import REFUSED, SERVED
from local_workspace.errors import NotSupported, PipelineCodeError

SOURCE = """
    def landed(**options):
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").option("cloudFiles.inferColumnTypes", "true")
        for key, value in options.items():
            reader = reader.option(key, value)
        return reader.load("/Volumes/main/bronze/files/landing")

    @dlt.table(name="bronze.events")
    def events():
        return landed()
"""


def failure(bench: Any, **options: Any) -> str:
    """Run an update that must fail before anything is written; give its error."""
    result = bench.update(**options)
    assert result.state == "FAILED"
    assert [t for t in bench.catalog.tables("main") if t.name.schema != "ops"] == [], "nothing was written"
    assert any(e["error"] for e in bench.events("update_progress")), "the error is in the event log"
    return str(result.error)


def test_names_of_all_levels_and_cases_mean_the_same_table(bench: Any) -> None:
    """Guards name resolution: one, two and three levels, LIVE, backticks, any case, dlt and dp in one pipeline."""
    bench.write(SOURCE)
    bench.write(
        """
        from pyspark import pipelines as dp

        @dp.materialized_view
        def one():
            return spark.read.table("EVENTS")

        @dp.table(name="two")
        def two_levels():
            return spark.readStream.table("Bronze.`events`")

        @dlt.table
        def three():
            return dlt.read("main.bronze.events").union(dlt.read("LIVE.events")).union(spark.table("live.one"))

        @dp.temporary_view
        def v():
            return dlt.read_stream("events").where("id > 1")

        @dlt.table(name="silver.from_view")
        def from_view():
            return spark.readStream.table("V")
        """,
        "names.py",
    )
    bench.land("a.json", {"id": 1}, {"id": 2})
    result = bench.good()
    assert {n: len(bench.rows(n)) for n in ("bronze.one", "bronze.two", "bronze.three", "silver.from_view")} == {
        "bronze.one": 2, "bronze.two": 2, "bronze.three": 6, "silver.from_view": 1,
    }  # fmt: skip
    assert result.datasets["v"].refresh == "VIEW"
    assert "dlt" not in sys.modules, "the module is there only while pipeline code runs"


def test_sql_text_reads_streams_tables_and_views(bench: Any) -> None:
    """Guards names inside SQL text: spark.sql, STREAM, CTEs, subqueries in predicates, arguments, tables outside."""
    bench.write(SOURCE)
    bench.write(
        """
        @dlt.view
        def wanted():
            return spark.sql("SELECT id FROM bronze.events WHERE id < :top", args={"top": 3})

        @dlt.table(name="silver.streamed")
        def streamed():
            return spark.sql("SELECT id + 1 AS id FROM STREAM(bronze.events) AS e WHERE e.id > 0")

        @dlt.table(name="silver.batch")
        def batch():
            return spark.sql('''
                WITH events AS (SELECT max(id) AS id FROM main.bronze.events)  -- hides the table of that name
                SELECT e.id, (SELECT count(*) FROM wanted) AS n, 'FROM bronze.nothing' AS text FROM events e''')

        @dlt.table(name="silver.predicate")
        def predicate():
            return spark.read.table("events").where("id IN (SELECT w.id FROM wanted w)")

        @dlt.table(name="silver.framed")
        def framed():
            return spark.sql("SELECT id FROM {frame} WHERE id = 2", frame=dlt.read("events"))
        """,
        "queries.py",
    )
    bench.land("a.json", {"id": 1}, {"id": 2}, {"id": 5})
    bench.good()
    assert bench.column("silver.streamed", "id") == [2, 3, 6]
    assert bench.rows("silver.batch") == [{"id": 5, "n": 2, "text": "FROM bronze.nothing"}]
    assert bench.column("silver.predicate", "id") == [1, 2]
    assert bench.column("silver.framed", "id") == [2]
    bench.land("b.json", {"id": 9})
    bench.good()
    assert bench.column("silver.streamed", "id") == [10, 2, 3, 6]


def test_tables_and_views_outside_the_pipeline_are_read(bench: Any) -> None:
    """Guards reading what dbt or a user made: a table of the catalog, and a view over it."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from local_workspace.catalog import TableName

    place = bench.layout.table_path("main", "silver", "outside")
    write_deltalake(str(place), pa.table({"id": [1, 2]}))
    bench.catalog.put_table(TableName("main", "silver", "outside"), kind="TABLE", location=place)
    bench.catalog.put_table(
        TableName("main", "silver", "outside_view"),
        kind="VIEW",
        location=None,
        view_sql="select id * 10 as id from silver.outside",
    )
    bench.write("""
        @dlt.table(name="silver.inside")
        def inside():
            return spark.read.table("silver.outside").union(spark.read.table("main.silver.OUTSIDE_VIEW"))

        @dlt.table(name="silver.streamed")
        def streamed():
            return spark.readStream.table("silver.outside")
    """)
    bench.good()
    assert bench.column("silver.inside", "id") == [1, 10, 2, 20]
    write_deltalake(str(place), pa.table({"id": [3]}), mode="append")
    bench.good()
    assert len(bench.rows("silver.inside")) == 6
    assert bench.column("silver.streamed", "id") == [1, 2, 3]


def test_metadata_is_hidden_but_can_be_asked_for(bench: Any) -> None:
    """Guards `_metadata`: not in a star, there for every row-wise step above, as struct, field and in expressions."""
    bench.write(
        SOURCE
        + """
    @dlt.table
    def plain():
        return landed()

    @dlt.table
    def asked():
        return (landed().where("_metadata.file_size > 0 AND '_metadata' = '_metadata'").select("*").withColumn("name", F.expr("upper(_metadata.file_name)"))
                    .withColumn("path", F.col("_metadata.file_path")).withColumn("at", F.col("_metadata.file_modification_time")))

    @dlt.table
    def whole():
        return landed().select("_metadata", "*")

    @dlt.table
    def selected():
        return landed().select("id").selectExpr("id", "_metadata.file_name")
    """
    )
    bench.land("a.json", {"id": 1})
    bench.good()
    assert set(bench.rows("bronze.plain")[0]) == {"id", "_rescued_data"}
    asked = bench.rows("bronze.asked")[0]
    assert (asked["name"], asked["path"]) == ("A.JSON", "dbfs:/Volumes/main/bronze/files/landing/a.json")
    assert set(asked) == {"id", "_rescued_data", "name", "path", "at"}
    assert set(bench.rows("bronze.whole")[0]) == {"_metadata", "id", "_rescued_data"}
    assert bench.rows("bronze.selected") == [{"id": 1, "file_name": "a.json"}]


def test_functions_that_look_at_a_schema_wait_for_their_input(bench: Any) -> None:
    """Guards df.columns and df.schema in a dataset function: it is called again once its input is there."""
    bench.write(SOURCE)
    bench.write(
        """
        @dlt.table(name="silver.aaa")
        def upper_columns():
            frame = dlt.read("silver.middle")
            return frame.toDF(*[c.upper() for c in frame.columns])

        @dlt.table(name="silver.middle")
        def middle():
            frame = spark.readStream.table("bronze.events")
            return frame.select([c for c in frame.columns if not c.startswith("_")])
        """,
        "late.py",
    )
    bench.land("a.json", {"id": 1, "name": "x"})
    dry = bench.good(dry_run=True)
    assert any("was not checked" in w for w in dry.warnings)
    bench.good()
    assert bench.rows("silver.aaa") == [{"ID": 1, "NAME": "x"}]
    assert not any("was not checked" in w for w in bench.good(dry_run=True).warnings), (
        "now its input is there"
    )


def test_files_of_a_volume_are_read_directly(bench: Any) -> None:
    """Guards spark.read on /Volumes paths: mapped into the workspace, computed anew each time, other paths refused."""
    bench.write("""
    @dlt.table
    def lookup():
        return spark.read.schema("id BIGINT").json("/Volumes/main/bronze/files/landing")
    """)
    bench.land("a.json", {"id": 1})
    bench.good()
    bench.land("b.json", {"id": 2})
    assert bench.good().datasets["main.bronze.lookup"].reason == "NON_DETERMINISTIC_EXPRESSION"
    assert bench.column("bronze.lookup", "id") == [1, 2]
    bench.write("""
    @dlt.table
    def lookup():
        return spark.read.json("s3://bucket/x")
    """)
    assert "--volume s3://bucket/x=FOLDER" in (bench.update().error or "")


def test_settings_without_effect_are_named(bench: Any) -> None:
    """Guards against settings that are taken in silence: each is named in the result and in the event log."""
    bench.write("""
    @dlt.table(spark_conf={"spark.sql.shuffle.partitions": "5"})
    def t():
        return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").option("cloudFiles.useNotifications", "true")
                .option("cloudFiles.schemaHints", "id STRING").load("/Volumes/main/bronze/files/landing"))
    """)
    warnings = bench.good().warnings
    told = [e["message"] for e in bench.events("flow_progress") if e["level"] == "WARN"]
    assert told == warnings
    assert [w.split(" has no effect")[0] for w in warnings] == [
        "t: spark_conf spark.sql.shuffle.partitions", "t: option cloudfiles.usenotifications",
    ]  # fmt: skip


BAD_CODE: list[tuple[str, str, str]] = [
    ("duplicate", '@dlt.table\ndef a(): ...\n\n@dlt.table(name="A")\ndef b(): ...', "declared twice"),
    ("cycle", '@dlt.table\ndef a(): return dlt.read("b")\n\n@dlt.table\ndef b(): return dlt.read("a")', "circle: main.bronze.a -> main.bronze.b"),
    ("itself", '@dlt.table\ndef a(): return dlt.read("a")', "reads itself"),
    ("unknown", '@dlt.table\ndef orders(): return spark.range(1)\n\n@dlt.table\ndef b(): return dlt.read("ordres")', "did you mean orders"),
    ("unknown in SQL", '@dlt.table\ndef b(): return spark.sql("select * from no.where_")', "TABLE_OR_VIEW_NOT_FOUND"),
    ("no frame", "@dlt.table\ndef a(): return 5", "returned no DataFrame (got int at pipeline.py:"),
    ("raises", "@dlt.table\ndef a():\n    return 1 / 0", "pipeline.py:5"),
    ("syntax", "def a(:\n", "pipeline.py:3 is not valid Python"),
    ("import", "import no_such_module", "pipeline.py:3"),
    ("nothing", "x = 1", "declares no dataset"),
    ("no flow", 'dlt.create_streaming_table("t")', "has no flow"),
    ("flow without table", '@dlt.append_flow(target="t")\ndef f(): ...', "dlt.create_streaming_table('t')"),
    ("unknown argument", "@dlt.table(nmae='x')\ndef a(): ...", "no argument 'nmae'"),
    ("two rules", '@dlt.table\n@dlt.expect("x", "1=1")\n@dlt.expect("x", "2=2")\ndef a(): ...', "two expectations named 'x'"),
    ("rule above table", '@dlt.expect("x", "1=1")\n@dlt.table\ndef a(): ...', "stands above"),
    ("rules on a flow", 'dlt.create_streaming_table("t")\n@dlt.append_flow(target="t")\n@dlt.expect("x", "1=1")\ndef f(): ...', "carries expectations"),
    ("set conf", "@dlt.table\ndef a():\n    spark.conf.set('x', '1')", "RuntimeConf.set"),
    ("temp view", "@dlt.table\ndef a():\n    spark.range(1).createGlobalTempView('x')", "createGlobalTempView"),
    ("statement", "@dlt.table\ndef a(): return spark.sql('drop table x')", "takes a query"),
    ("aggregate", '@dlt.table\ndef b(): return spark.readStream.schema("id INT").json("/Volumes/main/bronze/files/x").orderBy("id")', "Sorting"),
    ("streaming MV", 'from pyspark import pipelines as dp\n@dlt.table\ndef a(): return spark.range(1)\n\n@dp.materialized_view\ndef b(): return dlt.read_stream("a")',
     "has a streaming query"),
    ("batch as stream", '@dlt.view\ndef v(): return spark.range(1)\n\n@dlt.table\ndef b(): return dlt.read_stream("v")', "its query is a batch one"),
    ("sink", "dlt.create_sink('s', 'kafka', {})", "dlt.create_sink(format='kafka') is not supported"),
    ("unknown name", "dlt.nothing_like_it()", "dlt.nothing_like_it"),
    ("option", '@dlt.table\ndef a(): return spark.readStream.format("cloudFiles").option("cloudFiles.format","json").option("cloudFiles.typo","1").load("/Volumes/main/bronze/files/x")',
     "unknown option typo"),
    ("format", '@dlt.table\ndef a(): return spark.readStream.format("cloudFiles").option("cloudFiles.format","xml").load("/Volumes/main/bronze/files/x")', "'xml'"),
    ("path", '@dlt.table(path="/x")\ndef a(): ...', "path"),
    ("stream of files", '@dlt.table\ndef t(): return spark.readStream.format("json").load("/Volumes/main/bronze/files/landing")', "readStream.format('json')"),
    ("catalog", '@dlt.table(name="other.silver.t")\ndef t(): return spark.range(1)', "catalog other, which the workspace does not have"),
    ("dbutils", "x = dbutils.widgets.get('x')", "Widget x has no value"),
    ("view name", '@dlt.view(name="silver.v")\ndef v(): ...', "qualified name"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text"), [c[1:] for c in BAD_CODE], ids=[c[0] for c in BAD_CODE])
def test_a_mistake_in_the_code_is_found_before_the_first_row_moves(bench: Any, code: str, text: str) -> None:
    """Guards the author of a pipeline: what is wrong, where, before anything is written; never a silent no-op."""
    (bench.code / "pipeline.py").write_text(
        "import dlt\nfrom pyspark.sql import functions as F\n" + code, encoding="utf-8"
    )
    assert text in failure(bench)


def test_a_dataset_that_fails_stops_what_reads_it_and_nothing_else(bench: Any, monkeypatch: Any) -> None:
    """Guards the other tables of a pipeline: a missing secret, an exception, and what a full refresh must not empty."""
    bench.write("""
        @dlt.table
        def good():
            return spark.range(2)

        @dlt.table
        def secret():
            return spark.range(len(dbutils.secrets.get("shop", "token")))

        @dlt.table
        def reader():
            return dlt.read("secret")
    """)
    monkeypatch.setenv("SECRET_SHOP_TOKEN", "abc")
    bench.good()
    monkeypatch.delenv("SECRET_SHOP_TOKEN")
    result = bench.update(full_refresh=True)
    assert {name.split(".")[-1]: d.status for name, d in result.datasets.items()} == {
        "good": "COMPLETED", "secret": "FAILED", "reader": "SKIPPED",
    }  # fmt: skip
    assert "SECRET_SHOP_TOKEN" in (result.error or "")
    assert "pipeline.py:10" in (result.error or "")
    assert len(bench.rows("bronze.reader")) == 3, "what cannot be filled again is not emptied"
    assert bench.update(dry_run=True).state == "FAILED"


def test_files_that_nobody_can_read_stop_no_other_table(bench: Any) -> None:
    """Guards an update whose first files are all broken: they are told, what reads them waits, the rest runs."""
    bench.write("""
        @dlt.table
        def loaded():
            return spark.readStream.format("cloudFiles").option("cloudFiles.format", "parquet").load("/Volumes/main/bronze/files/landing")

        @dlt.table
        def reader():
            return dlt.read_stream("loaded")

        @dlt.table
        def good():
            return spark.range(2)
    """)
    bench.land("a.parquet", b"no parquet at all")
    result = bench.good()
    assert {name.split(".")[-1]: d.status for name, d in result.datasets.items()} == {
        "loaded": "IDLE", "reader": "SKIPPED", "good": "COMPLETED",
    }  # fmt: skip
    assert [f.path.rpartition("/")[2] for f in result.faults] == ["a.parquet"]
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1]}), bench.land("b.parquet", b""))
    bench.good()
    assert bench.column("bronze.reader", "id") == [1]


def test_a_change_feed_keeps_its_settings(bench: Any) -> None:
    """Guards kept values: another key, or NULLs that count now, is refused until a full refresh, not computed wrongly."""
    feed = SOURCE + "\n    dlt.create_streaming_table('t')\n    dlt.apply_changes('t', 'events', ['id'], 'at'"
    bench.write(feed + ", ignore_null_updates=True)\n")
    bench.land("a.json", {"id": 1, "at": 1, "x": 5}, {"id": 1, "at": 2, "x": None})
    bench.good()
    assert bench.column("bronze.t", "x") == [5]
    bench.write(feed + ")\n")
    bench.land("b.json", {"id": 2, "at": 1, "x": 1})
    assert "Do a full refresh of main.bronze.t" in (bench.update().error or "")
    assert bench.column("bronze.t", "x") == [5]
    bench.good(full_refresh=True)
    assert bench.column("bronze.t", "x") == [1, None]


def test_every_name_is_served_or_refused(bench: Any) -> None:
    """Guards the table in the documentation: what it lists as served exists, what it lists as refused says a way out."""
    from local_workspace.dlt_runtime.declare.api import namespace

    functions = namespace()
    assert set(functions) == set(SERVED) | set(REFUSED)
    assert not set(SERVED) & set(REFUSED)
    for name in SERVED:
        assert functions[name].__doc__, name
    for name, way_out in REFUSED.items():
        with pytest.raises((NotSupported, PipelineCodeError)) as error:
            functions[name]()
        assert isinstance(error.value, PipelineCodeError) or way_out in str(error.value)


def test_streaming_from_a_table_that_changes_fails_unless_changes_are_skipped(bench: Any) -> None:
    """Guards append-only sources: an overwritten source is an error with Delta's text, or skipped on request."""
    bench.write("""
        @dlt.table
        def changing():
            return spark.sql("select 1 as id union all select count(*) from silver.outside")

        @dlt.table
        def strict():
            return dlt.read_stream("changing")

        @dlt.table
        def lenient():
            return spark.readStream.option("skipChangeCommits", "true").table("changing")
    """)
    import pyarrow as pa
    from deltalake import write_deltalake

    from local_workspace.catalog import TableName

    place = bench.layout.table_path("main", "silver", "outside")
    write_deltalake(str(place), pa.table({"id": [1, 2]}))
    bench.catalog.put_table(TableName("main", "silver", "outside"), kind="TABLE", location=place)
    bench.good()
    write_deltalake(str(place), pa.table({"id": [3]}), mode="append")
    result = bench.update()
    assert "DELTA_SOURCE_TABLE_IGNORE_CHANGES" in (result.error or "")
    assert {n.rsplit(".", 1)[1]: d.status for n, d in result.datasets.items()} == {
        "changing": "COMPLETED", "strict": "FAILED", "lenient": "IDLE",
    }  # fmt: skip
    assert bench.column("bronze.strict", "id") == [1, 2]
    bench.good(full_refresh=["strict"])
    assert bench.column("bronze.strict", "id") == [1, 3]


def test_deep_unions_and_many_inputs(bench: Any) -> None:
    """Guards the engine against deep plans: hundreds of unions would overflow its stack."""
    bench.write("""
        @dlt.table
        def wide():
            frame = spark.range(1)
            for n in range(400):
                frame = frame.union(spark.range(n, n + 1))
            return frame
    """)
    bench.good()
    assert len(bench.rows("bronze.wide")) == 401
