"""Views that are refreshed by the groups that new rows have changed: always the rows of a full recompute."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from local_workspace.catalog import TableName

_LATEST = "Window.partitionBy('order_id').orderBy(F.col('at').desc(), F.col('event').desc())"
#: Each in the way that new rows change it, by the keys of its stages.
VIEWS = {
    # The latest event of an order decides whose it is: an order moves from one customer to another.
    "customers": f"""src().withColumn('n', F.row_number().over({_LATEST})).where('n = 1').drop('n')
        .groupBy('customer').agg(F.count('*').alias('orders'), F.sum('amount').alias('total'),
            F.array_sort(F.collect_list(F.struct('order_id', 'amount'))).alias('history'))
        .select('customer', 'orders', 'total', F.transform('history', lambda o: o['order_id']).alias('ids'))""",
    "sums": "src().where('amount > 2').groupBy('customer', 'day').agg(F.countDistinct('order_id').alias('n'))",
    "shares": """src().groupBy('customer', 'day').agg(F.sum('amount').alias('s'))
        .withColumn('share', F.rank().over(Window.partitionBy('customer').orderBy('s')))""",
    "latest": f"src().withColumn('n', F.row_number().over({_LATEST})).where('n = 1')",
    "three": f"""src().withColumn('n', F.row_number().over({_LATEST})).where('n = 1')
        .withColumn('of_day', F.count('*').over(Window.partitionBy('day'))).groupBy('customer')
        .agg(F.sum('of_day').alias('s'), F.max('n').alias('n'))""",
}
#: And those of which the rule does not hold.
WHOLE = {
    "computed_key": "src().withColumn('customer', F.upper('customer')).groupBy('customer').agg(F.count('*').alias('n'))",
    "lost_key": "src().groupBy('customer').agg(F.count('*').alias('n')).select('n')",
    "renamed_key": "src().withColumnRenamed('day', 'd').groupBy('d').agg(F.count('*').alias('n'))",
    "over_all": "src().withColumn('n', F.row_number().over(Window.partitionBy().orderBy('event')))",
    "two_keys": """src().withColumn('a', F.count('*').over(Window.partitionBy('day')))
        .withColumn('day', F.lit(1)).groupBy('customer').agg(F.sum('day').alias('n')).where('n > 0').limit(1000)""",
    "join": "src().join(src().select('order_id').distinct(), 'order_id').groupBy('customer').agg(F.count('*').alias('n'))",
}


def code(views: dict[str, str]) -> str:
    head = "from pyspark.sql import Window\n\n\ndef src():\n    return dlt.read('silver.src')\n"
    return head + "".join(
        f"\n\n@dlt.table(name='bronze.{name}')\ndef {name}():\n    return ({query})\n"
        for name, query in views.items()
    )


class Source:
    """Appends events of orders that now and then change their customer."""

    def __init__(self, bench: Any, seed: int) -> None:
        self.place = bench.layout.table_path("main", "silver", "src")
        self.random = random.Random(seed)  # noqa: S311
        self.event = 0
        self.append(60)
        bench.catalog.put_table(TableName("main", "silver", "src"), kind="TABLE", location=self.place)

    def append(self, rows: int) -> None:
        made = []
        for _ in range(rows):
            self.event += 1
            order = self.random.randrange(40)
            moved = self.random.random() < 0.2
            customer = self.random.randrange(30) if moved else order % 30
            made.append(
                {
                    "event": self.event,
                    "order_id": f"o{order}" if order else None,
                    "customer": f"c{customer}" if customer else None,
                    "at": self.random.randrange(10),
                    "amount": self.random.randrange(6),
                    "day": f"d{self.random.randrange(25)}",
                }
            )
        write_deltalake(str(self.place), pa.Table.from_pylist(made), mode="append")


def test_a_refresh_by_groups_gives_the_rows_of_a_full_recompute(bench: Any) -> None:
    """Guards the closure over keys on a random history: late events, orders that change hands, NULL as a key.

    Every update compares each view with its full recompute, row by row.
    """
    source = Source(bench, 1)
    bench.write(code(VIEWS))
    bench.good(verify=True)
    seen: dict[str, set[str]] = {name: set() for name in VIEWS}
    for _ in range(5):
        source.append(source.random.randrange(1, 3))
        for name, result in bench.good(verify=True).datasets.items():
            seen[name.rpartition(".")[2]].add(result.refresh)
    assert all("GROUP_AGGREGATE" in ways for ways in seen.values()), seen
    source.append(400)
    ways = bench.good(verify=True).datasets["main.bronze.customers"]
    assert (ways.refresh, ways.reason) == ("COMPLETE_RECOMPUTE", "MORE_GROUPS_CHANGED_THAN_STAYED")


def test_what_the_rule_does_not_cover_is_computed_in_full(bench: Any) -> None:
    """Guards against a plan that looks like groups and is not."""
    source = Source(bench, 3)
    bench.write(code(WHOLE))
    bench.good()
    source.append(1)
    for name, result in bench.good(verify=True).datasets.items():
        assert result.refresh == "COMPLETE_RECOMPUTE", (name, result.reason)
    # Not append-only any more: nothing is known of what changed.
    bench.write(code({"customers": VIEWS["customers"]}))
    bench.good()
    DeltaTable(str(source.place)).delete("event = 3")
    result = bench.good(verify=True).datasets["main.bronze.customers"]
    assert (result.refresh, result.reason) == (
        "COMPLETE_RECOMPUTE",
        "CHANGE_SET_NOT_APPEND_ONLY: main.silver.src",
    )
