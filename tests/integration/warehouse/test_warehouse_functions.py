"""Guards functions made by SQL, and the row filters and column masks made of them."""

from __future__ import annotations

from typing import Any

import pytest

ORDERS = "SELECT * FROM VALUES (1, 'ann', 10.5D), (2, 'bob', 20.25D), (3, 'ann', NULL) AS v(id, buyer, price)"


@pytest.fixture
def orders(client: Any) -> Any:
    client.run(f"CREATE TABLE orders AS {ORDERS}")
    return client


def test_a_function_stands_for_its_body(orders: Any) -> None:
    """Guards calls anywhere an expression stands: casts, defaults, names of arguments, aggregates around and within."""
    orders.run(
        "CREATE FUNCTION twice(x DOUBLE) RETURNS DOUBLE RETURN x * 2",
        "CREATE FUNCTION label(who STRING DEFAULT 'nobody' COMMENT 'a buyer', mark STRING DEFAULT '!') RETURNS STRING"
        " COMMENT 'a greeting' RETURN SELECT concat('hello ', who, mark)",
        "CREATE FUNCTION bump(a INT) RETURN transform(array(a), a -> a + 1)[0] + a",
    )
    assert orders.rows(
        "SELECT twice(id), label(buyer) FROM orders WHERE twice(id) > 2 ORDER BY twice(id) DESC"
    ) == [
        (6.0, "hello ann!"),
        (4.0, "hello bob!"),
    ]
    assert orders.rows(
        "SELECT twice(sum(id)), sum(twice(id)), label(), label(mark => '?', who => 'you') FROM orders"
    ) == [(12.0, 12.0, "hello nobody!", "hello you?")]
    assert orders.rows("SELECT bump(4)") == [(9,)]
    schema = orders.rows("SELECT current_schema()")[0][0]
    columns = orders.columns("SELECT twice(id), sum(twice(id)) OVER () FROM orders")
    assert [name for name, _ in columns] == [f"ecommerce_local.{schema}.twice(id)", "sum(twice(id)) OVER ()"]
    orders.run("CREATE VIEW doubled AS SELECT twice(price) AS p FROM orders", "USE SCHEMA gold")
    assert orders.rows(f"SELECT p FROM {schema}.doubled ORDER BY 1") == [(None,), (21.0,), (40.5,)]
    assert orders.rows(f"SELECT {schema}.twice(1), ecommerce_local.{schema}.twice(2)") == [(2.0, 4.0)]
    assert "UNRESOLVED_ROUTINE" in orders.error("SELECT twice(1)")
    orders.run(f"USE SCHEMA {schema}")


def test_a_body_with_a_query_keeps_its_own_names(orders: Any) -> None:
    """Guards against capture: the argument's column is the caller's, whatever the tables in the body are called."""
    orders.run(
        "CREATE FUNCTION latest(buyer_ STRING) RETURNS INT RETURN (SELECT max(id) FROM orders WHERE orders.buyer = buyer_)"
    )
    assert orders.rows("SELECT id, latest(buyer) FROM orders ORDER BY id") == [(1, 3), (2, 2), (3, 3)]
    assert orders.rows("SELECT o.id, latest(o.buyer) FROM orders AS o ORDER BY 1") == [(1, 3), (2, 2), (3, 3)]


def test_a_function_may_return_a_table(orders: Any) -> None:
    """Guards table functions: declared columns, aliases and joins."""
    orders.run(
        "CREATE FUNCTION of_buyer(who STRING) RETURNS TABLE (id INT, buyer STRING)"
        " RETURN SELECT id, buyer FROM orders WHERE buyer = who"
    )
    assert orders.rows("SELECT * FROM of_buyer('ann') ORDER BY 1") == [(1, "ann"), (3, "ann")]
    query = "SELECT f.buyer, count(*) FROM of_buyer('ann') AS f JOIN orders ON f.id = orders.id GROUP BY ALL"
    assert orders.rows(query) == [("ann", 2)]
    assert "NOT_A_SCALAR_FUNCTION" in orders.error("SELECT of_buyer('ann')")


def test_functions_are_described_listed_and_dropped(orders: Any) -> None:
    """Guards what clients ask of functions, and the errors of those that cannot be made or called."""
    orders.run("CREATE FUNCTION f(x INT COMMENT 'a number') RETURNS INT COMMENT 'as is' RETURN x")
    described = [line for (line,) in orders.rows("DESCRIBE FUNCTION EXTENDED f")]
    assert any(line.split() == ["Input:", "x", "INT", "'a", "number'"] for line in described)
    assert any(line.split() == ["Body:", "x"] for line in described)
    schema = orders.rows("SELECT current_schema()")[0][0]
    assert orders.rows("SHOW USER FUNCTIONS") == [(f"ecommerce_local.{schema}.f",)]
    assert orders.rows(
        "SELECT routine_name, full_data_type, routine_definition, comment FROM information_schema.routines"
        f" WHERE routine_schema = '{schema}'"
    ) == [("f", "INT", "x", "as is")]
    assert orders.rows(
        f"SELECT parameter_name, comment FROM information_schema.parameters WHERE specific_schema = '{schema}'"
    ) == [("x", "a number")]
    orders.run("GRANT EXECUTE ON FUNCTION f TO `users`")
    assert orders.rows("SHOW GRANTS ON FUNCTION f")[0][:3] == ("users", "EXECUTE", "FUNCTION")
    assert "ROUTINE_ALREADY_EXISTS" in orders.error("CREATE FUNCTION f(x INT) RETURNS INT RETURN 0")
    assert "ROUTINE_ALREADY_EXISTS" in orders.error("CREATE FUNCTION upper(x STRING) RETURNS STRING RETURN x")
    assert "WRONG_NUM_ARGS" in orders.error("SELECT f(1, 2)")
    assert "UNRESOLVED_COLUMN" in orders.error("CREATE FUNCTION g() RETURNS INT RETURN nothing")
    orders.run("CREATE FUNCTION twice(x DOUBLE) RETURNS DOUBLE RETURN x + x")
    assert "computed 2 times" in orders.error("SELECT twice(rand())")
    orders.run("DROP FUNCTION f", "DROP FUNCTION IF EXISTS f")
    assert "ROUTINE_NOT_FOUND" in orders.error("DROP FUNCTION f")


@pytest.fixture
def guarded(orders: Any) -> Any:
    orders.run(
        "CREATE FUNCTION hidden(who STRING) RETURNS STRING RETURN"
        " CASE WHEN is_account_group_member('support') THEN who ELSE '***' END",
        "CREATE FUNCTION anns(who STRING) RETURNS BOOLEAN RETURN is_account_group_member('admins') OR who = 'ann'",
        "CREATE TABLE guarded (id INT, buyer STRING MASK hidden, price DOUBLE) WITH ROW FILTER anns ON (buyer)",
        "INSERT INTO guarded SELECT * FROM orders",
    )
    return orders


def test_a_row_filter_and_a_mask_hold_for_every_read(guarded: Any) -> None:
    """Guards the policies: nothing that reads the table shows what its reader may not see, and the data stays as it is."""
    everything = guarded.rows("SELECT id, buyer FROM guarded ORDER BY id")
    assert everything == [(1, "ann"), (2, "bob"), (3, "ann")]
    guarded.run("SET local_workspace.groups = 'users'")
    seen = [(1, "***"), (3, "***")]
    schema = guarded.rows("SELECT current_schema()")[0][0]
    for name in ("guarded", f"{schema}.guarded", f"ecommerce_local.{schema}.guarded AS g"):
        assert guarded.rows(f"SELECT id, buyer FROM {name} ORDER BY id") == seen, name
    guarded.run(
        "CREATE VIEW buyers AS SELECT buyer, count(*) AS n FROM guarded GROUP BY buyer",
        "CREATE TABLE copied AS SELECT id, buyer FROM guarded",
        "CREATE TABLE target (id INT, buyer STRING)",
        "INSERT INTO target TABLE guarded |> SELECT id, buyer",
        "MERGE INTO copied AS c USING guarded AS g ON c.id = g.id WHEN MATCHED THEN UPDATE SET buyer = g.buyer",
        "CREATE TEMPORARY VIEW own AS SELECT id, buyer FROM guarded",
    )
    assert guarded.rows("SELECT * FROM buyers") == [("***", 2)]
    for name in ("copied", "target", "own", "(WITH w AS (SELECT * FROM guarded) SELECT id, buyer FROM w)"):
        assert guarded.rows(f"SELECT id, buyer FROM {name} ORDER BY id") == seen, name
    assert guarded.rows("SELECT count(*) FROM guarded WHERE buyer = 'ann'") == [(0,)]
    guarded.run("SET local_workspace.groups = 'support,admins'")
    assert guarded.rows("SELECT id, buyer FROM guarded ORDER BY id") == everything


def test_what_is_not_seen_is_not_changed(guarded: Any) -> None:
    """Guards hidden rows and masked values against UPDATE, DELETE and MERGE, and against being lost by them."""
    guarded.run("SET local_workspace.groups = 'users'")
    assert guarded.affected("UPDATE guarded SET price = 1") == 2
    assert guarded.affected("DELETE FROM guarded WHERE id = 2") == 0
    assert guarded.affected("DELETE FROM guarded WHERE id IN (SELECT id FROM orders WHERE id >= 2)") == 1
    assert "masked column buyer" in guarded.error("DELETE FROM guarded WHERE buyer = 'ann'")
    assert "row filters or masks" in guarded.error("CREATE TABLE clone DEEP CLONE guarded")
    guarded.run(
        "MERGE INTO guarded AS t USING orders AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET price = 5"
    )
    merge = "INTO guarded AS t USING orders AS s ON t.id = s.id WHEN"
    assert "row filter" in guarded.error(f"MERGE {merge} NOT MATCHED BY SOURCE THEN DELETE")
    assert "row filter" in guarded.error(f"MERGE WITH SCHEMA EVOLUTION {merge} MATCHED THEN DELETE")
    guarded.run("SET local_workspace.groups = 'support,admins'")
    assert guarded.rows("SELECT * FROM guarded ORDER BY id") == [(1, "ann", 5.0), (2, "bob", 20.25)]


def test_policies_are_shown_changed_and_taken_off(guarded: Any) -> None:
    """Guards ALTER TABLE .. ROW FILTER and MASK, information_schema, and masks that look at other columns."""
    schema = guarded.rows("SELECT current_schema()")[0][0]
    where = f"WHERE table_schema = '{schema}'"
    function = f"ecommerce_local.{schema}."
    assert guarded.rows(
        f"SELECT filter_name, target_columns FROM information_schema.row_filters {where}"
    ) == [(f"{function}anns", "buyer")]
    assert guarded.rows(
        f"SELECT column_name, mask_name, using_columns FROM information_schema.column_masks {where}"
    ) == [("buyer", f"{function}hidden", None)]
    guarded.run(
        "ALTER TABLE guarded DROP ROW FILTER",
        "ALTER TABLE guarded ALTER COLUMN buyer DROP MASK",
        "CREATE FUNCTION priced(price DOUBLE, who STRING) RETURNS DOUBLE RETURN CASE WHEN who = 'ann' THEN price END",
        "ALTER TABLE guarded ALTER COLUMN price SET MASK priced USING COLUMNS (buyer)",
    )
    assert guarded.rows("SELECT id, price FROM guarded ORDER BY id") == [(1, 10.5), (2, None), (3, None)]
    assert "UNRESOLVED_COLUMN" in guarded.error("ALTER TABLE guarded SET ROW FILTER anns ON (nothing)")
    assert "ROUTINE_NOT_FOUND" in guarded.error("ALTER TABLE guarded SET ROW FILTER nothing ON (buyer)")
    guarded.run("DROP FUNCTION priced")
    assert "UNRESOLVED_ROUTINE" in guarded.error("SELECT * FROM guarded")
    guarded.run("CREATE OR REPLACE TABLE guarded AS SELECT 1 AS id")
    assert guarded.rows(f"SELECT * FROM information_schema.column_masks {where}") == []


def test_recursive_queries_end_as_on_databricks(client: Any) -> None:
    """Guards WITH RECURSIVE, which the engine does not run: in queries, views and tables, with Databricks' limits."""
    staff = "SELECT * FROM VALUES (1, NULL), (2, 1), (3, 2), (4, 1) AS v(id, boss)"
    client.run(f"CREATE TABLE staff AS {staff}")
    query = (
        "WITH RECURSIVE tree(id, depth) AS (SELECT id, 0 FROM staff WHERE boss IS NULL UNION ALL"
        " SELECT s.id, t.depth + 1 FROM staff AS s JOIN tree AS t ON s.boss = t.id),"
        " deep AS (SELECT max(depth) AS d FROM tree) SELECT id, depth, d FROM tree, deep ORDER BY id"
    )
    rows = [(1, 0, 2), (2, 1, 2), (3, 2, 2), (4, 1, 2)]
    assert client.rows(query) == rows
    client.run(f"CREATE VIEW tree_view AS {query}", f"CREATE TABLE tree_table AS {query}")
    for name in ("tree_view", "tree_table"):
        assert client.rows(f"SELECT * FROM {name} ORDER BY id") == rows, name
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r"
    assert "RECURSION_LEVEL_LIMIT_EXCEEDED" in client.error(endless)
    assert "UNION_NOT_SUPPORTED_IN_RECURSIVE_CTE" in client.error(endless.replace("UNION ALL", "UNION"))
    assert "INVALID_RECURSIVE_CTE" in client.error("WITH RECURSIVE r(n) AS (SELECT n FROM r) SELECT * FROM r")


def test_variants_intervals_and_descriptions_are_values_of_queries(client: Any) -> None:
    """Guards what people select every day: paths into a VARIANT, months as an interval, the history of a table."""
    client.run("CREATE TABLE events (id INT, v VARIANT)")
    client.run('INSERT INTO events VALUES (1, parse_json(\'{"a": {"b": 5}}\'))')
    client.run('INSERT INTO events SELECT 2, parse_json(\'{"a": {"b": "x"}}\')')
    assert client.rows("SELECT v:a.b, v:a, v:none FROM events ORDER BY id") == [
        ("5", '{"b":5}', None),
        ('"x"', '{"b":"x"}', None),
    ]
    assert client.rows("SELECT id FROM events WHERE v:a.b::string = 'x'") == [(2,)]
    months = "SELECT INTERVAL '2-3' YEAR TO MONTH AS a, -make_ym_interval(0, id) AS b FROM events ORDER BY b"
    assert client.rows(months) == [("2-3", "-0-2"), ("2-3", "-0-1")]
    history = client.rows(
        "SELECT version, operation FROM (DESCRIBE HISTORY events) WHERE version > 0 ORDER BY 1"
    )
    assert [version for version, _ in history] == [1, 2]
    assert client.rows("SELECT format FROM (DESCRIBE DETAIL events) AS d") == [("delta",)]
    client.run("CREATE VIEW ends AS (SELECT 1 AS a -- the end\n)")
    assert client.rows("SELECT * FROM ends JOIN ends AS other USING (a)") == [(1,)]


def test_a_metric_view_computes_its_measures_in_each_group(client: Any) -> None:
    """Guards MEASURE() over all groups asked for, views on top, and how a metric view is listed and changed."""
    yaml = (
        "version: 1.1\nsource: sales\nfilter: amount > 0\ndimensions:\n  - name: Status\n    expr: upper(status)\n"
        "measures:\n  - name: revenue\n    expr: sum(amount)\n    comment: in euros\n"
        "  - name: average\n    expr: measure(revenue) / count(distinct id)\n"
    )
    client.run(
        "CREATE TABLE sales AS SELECT * FROM VALUES (1, 'a', 10), (1, 'a', 5), (2, 'b', 7), (3, 'b', -1)"
        " AS t(id, status, amount)",
        f"CREATE OR REPLACE VIEW kpis WITH METRICS LANGUAGE YAML AS $$\n{yaml}$$",
        "CREATE VIEW by_status AS SELECT Status, MEASURE(revenue) AS r FROM kpis GROUP BY Status",
    )
    query = "SELECT Status, measure(average), MEASURE(revenue) AS r FROM kpis GROUP BY ALL ORDER BY measure(revenue)"
    assert client.rows(query) == [("B", 7.0, 7), ("A", 15.0, 15)]
    assert client.rows("SELECT MEASURE(k.average) FROM kpis AS k WHERE Status <> 'x'") == [(11.0,)]
    assert client.rows("SELECT sum(r) FROM by_status") == [(22,)]
    assert "METRIC_VIEW_MISSING_MEASURE_FUNCTION" in client.error("SELECT * FROM kpis")
    assert client.rows("DESCRIBE kpis") == [
        ("Status", "string", None),
        ("revenue", "bigint", "in euros"),
        ("average", "double", None),
    ]
    told = {row[0]: row[1] for row in client.rows("DESCRIBE EXTENDED kpis")}
    assert (told["Type"], told["View Text"]) == ("METRIC_VIEW", f"$$\n{yaml}$$")
    client.run(f"ALTER VIEW kpis AS $$\n{yaml.replace('sum(amount)', 'max(amount)')}$$")
    assert client.rows("SELECT sum(r) FROM by_status") == [(17,)]
    assert "METRIC_VIEW_INVALID" in client.error(
        "CREATE VIEW bad WITH METRICS LANGUAGE YAML AS $$ version: 1 $$"
    )


def test_an_iceberg_table_is_listed_as_one(client: Any) -> None:
    """Guards what clients are told of USING ICEBERG, whose partitions are clustering keys, and that rows change in it."""
    client.run(
        "CREATE TABLE ice USING ICEBERG PARTITIONED BY (day) AS SELECT 1 AS id, DATE'2024-01-01' AS day",
        "MERGE INTO ice t USING (SELECT 2 AS id, DATE'2024-01-02' AS day) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *",
    )
    assert client.rows("SELECT id FROM ice ORDER BY id") == [(1,), (2,)]
    detail = client.rows("SELECT format, partitionColumns, clusteringColumns FROM (DESCRIBE DETAIL ice)")[0]
    assert (detail[0], list(detail[1]), list(detail[2])) == ("iceberg", [], ["day"])
    listed = "SELECT data_source_format FROM information_schema.tables WHERE table_name = 'ice'"
    assert client.rows(f"{listed} AND table_schema = current_schema()") == [("ICEBERG",)]
    assert "USING iceberg\nCLUSTER BY (day)" in client.rows("SHOW CREATE TABLE ice")[0][0]
    client.run("CREATE OR REPLACE TABLE ice USING DELTA AS SELECT 1 AS id")
    assert "USING delta" in client.rows("SHOW CREATE TABLE ice")[0][0]
