"""What the runtime serves and refuses, as the tables of the page "Run your own pipeline"; a test holds the page to them."""

from __future__ import annotations

from local_workspace.dlt_runtime.auto_loader import options as json_options
from local_workspace.dlt_runtime.files import reads

#: Operation on a stream -> what happens; the corpora of the tests have each.
STREAMING: dict[str, str] = {
    "select, filter, withColumn, explode, UDFs, mapInPandas": "runs",
    "join with a batch, the stream on the left of a left join": "runs",
    "unionByName, UNION ALL of streams": "runs",
    "dropDuplicates, distinct, SELECT DISTINCT": "runs",
    "dropDuplicatesWithinWatermark": "runs with a watermark",
    "groupBy(window(...)) with a watermark": "runs; each window once, when the watermark passes its end",
    "groupBy without a watermark": "runs; each update replaces the table",
    "inner join of two streams": "runs",
    "left, right, full, semi and anti join of two streams": "refused: use an inner join or a materialized view",
    "session_window, countDistinct, pivot, rollup, cube on a stream": "refused: use a materialized view",
    "a second operator with state above an aggregation or a join": "refused: write the first into a table of its own",
    "window functions, sort and limit of a stream's rows": "refused: use a materialized view",
    "applyInPandasWithState, transformWithState, applyInPandas on a stream": "refused: use applyInPandas in a batch query",
    "foreachBatch, writeStream": "refused: return the DataFrame; feed sinks by append_flow",
}


def options() -> dict[str, str]:
    """List the options of file reads, by name in lower case, with what becomes of each."""
    found = dict.fromkeys(sorted(reads.CSV), "csv: as in Spark")
    found |= {
        "wholetext": "text: as in Spark",
        "multiline": "csv, json: as in Spark",
        "pathglobfilter": "all: as in Spark",
    }
    found |= {"recursivefilelookup": "all: as in Spark; Auto Loader always reads folders below"}
    found |= dict.fromkeys(
        ("infercolumntypes", "schemahints", "rescueddatacolumn", "schemaevolutionmode"),
        "Auto Loader, read_files",
    )
    found |= {key: f"refused: {way_out}" for key, way_out in reads.UNSERVED.items() if key not in found}
    for key, way_out in json_options.REFUSED.items():
        name = key.removeprefix("cloudfiles.")
        if name not in found:
            found[name] = f"refused: {way_out}"
        elif name in reads.CSV:
            found[name] = f"csv: as in Spark; json: refused: {way_out}"
    for key, why in json_options.IGNORED.items():
        found.setdefault(key.removeprefix("cloudfiles."), f"no effect: {why}")
    return dict(sorted(found.items()))


def tables() -> str:
    """Give the tables as the page has them."""
    lines = ["| operation on a stream | result |", "|---|---|"]
    lines += [f"| {operation} | {result} |" for operation, result in STREAMING.items()]
    lines += ["", "| option of files | result |", "|---|---|"]
    lines += [f"| `{name}` | {result} |" for name, result in options().items()]
    return "\n".join(lines)
