"""Tables that a specification describes, as frameworks over DLT make them."""

import json
import os

import dlt
from pyspark.sql import functions as F

with open(os.path.join(os.path.dirname(__file__), "onboarding.txt")) as file:
    SPECS = json.load(file)


class Dataflow:
    def __init__(self, spec):
        self.spec = spec

    def bronze(self):
        reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", self.spec["format"])
        for key, value in self.spec.get("options", {}).items():
            reader = reader.option(key, value)
        return reader.load(self.spec["path"]).withColumn("loaded_from", F.col("_metadata.file_path"))

    def silver(self):
        return (
            dlt.read_stream(f"{self.spec['name']}_bronze")
            .selectExpr(*self.spec["select"])
            .where(" AND ".join(self.spec["where"]))
        )

    def write(self):
        name, rules = self.spec["name"], self.spec.get("rules", {})
        dlt.table(
            self.bronze,
            name=f"{name}_bronze",
            comment=f"bronze of {name}",
            table_properties={"quality": "bronze"},
        )
        table = dlt.table(name=f"{name}_silver")
        wrapped = self.silver
        for kind, group in rules.items():
            wrapped = {
                "expect": dlt.expect_all,
                "drop": dlt.expect_all_or_drop,
                "fail": dlt.expect_all_or_fail,
            }[kind](group)(wrapped)
        table(wrapped)
        if rules.get("drop"):
            broken = "NOT(" + " AND ".join(f"({rule})" for rule in rules["drop"].values()) + ")"

            @dlt.table(name=f"{name}_quarantine")
            def quarantine():
                return dlt.read_stream(f"{name}_bronze").selectExpr(*self.spec["select"]).where(broken)


for spec in SPECS:
    Dataflow(spec).write()


@dlt.table(name="counts")
def counts():
    from functools import reduce

    frames = [
        dlt.read(f"{s['name']}_silver").groupBy().count().withColumn("name", F.lit(s["name"])) for s in SPECS
    ]
    return reduce(lambda a, b: a.unionByName(b), frames)
