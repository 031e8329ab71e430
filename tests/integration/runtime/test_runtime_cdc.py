# ruff: noqa: E501  (a table of cases reads better with one case a line)
"""AUTO CDC: late changes, deletes, both kinds of history, against a plain Python model of what should come out."""

from __future__ import annotations

import random
from typing import Any

import pytest

FEED = """
    @dlt.table(name="bronze.changes")
    def changes():
        return (spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
                .schema("id STRING, name STRING, city STRING, op STRING, seq BIGINT").load("/Volumes/main/bronze/files/landing"))

    @dlt.view(name="feed")
    def feed():
        return dlt.read_stream("bronze.changes").where("op <> 'ignore'")

    dlt.create_streaming_table("silver.current")
    dlt.apply_changes(target="silver.current", source="feed", keys=["id"], sequence_by=F.col("seq"),
                      apply_as_deletes=F.expr("op = 'delete'"), except_column_list=["op", "seq"])

    dlt.create_streaming_table("silver.history")
    dlt.create_auto_cdc_flow(target="silver.history", source="feed", keys=["id"], sequence_by="seq",
                             apply_as_deletes="op = 'delete'", except_column_list=["op", "seq"], stored_as_scd_type=2,
                             track_history_column_list=["name"])
"""


def model(changes: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Apply all changes in order of sequence, as if none had been late."""
    current, history = [], []
    for key in sorted({c["id"] for c in changes}):
        open_row: dict[str, Any] | None = None
        for change in sorted((c for c in changes if c["id"] == key), key=lambda c: c["seq"]):
            if change["op"] == "delete":
                if open_row is not None:
                    open_row["__END_AT"] = change["seq"]
                open_row = None
            elif open_row is not None and open_row["name"] == change["name"]:
                open_row["city"] = change["city"]
            else:
                if open_row is not None:
                    open_row["__END_AT"] = change["seq"]
                open_row = {
                    "id": key, "name": change["name"], "city": change["city"], "__START_AT": change["seq"], "__END_AT": None,
                }  # fmt: skip
                history.append(open_row)
        if open_row is not None:
            current.append({k: open_row[k] for k in ("id", "name", "city")})
    return sorted(current, key=repr), sorted(history, key=repr)


def test_late_changes_and_deletes_end_at_the_same_tables(bench: Any) -> None:
    """Guards SCD 1 and 2: however the changes are cut into batches and ordered, the tables are those of the ordered feed."""
    bench.write(FEED)
    rng = random.Random(5)  # noqa: S311
    changes = [
        {"id": f"k{rng.randint(1, 6)}", "name": rng.choice(["a", "b"]), "city": rng.choice(["x", "y", None]),
         "op": "delete" if rng.random() < 0.25 else "upsert", "seq": seq}
        for seq in rng.sample(range(1000), 60)
    ]  # fmt: skip
    for batch in range(3):
        part = changes[batch * 20 : batch * 20 + 20]
        bench.land(f"{batch}.json", *part, {"id": "zzz", "op": "ignore", "seq": 5000 + batch}, part[0])
        bench.good()
        current, history = model(changes[: batch * 20 + 20])
        assert bench.rows("silver.current") == current
        assert bench.rows("silver.history") == history
    before = bench.versions()
    bench.good()
    assert bench.versions() == before
    bench.good(full_refresh=["silver.history", "silver.current"])
    assert bench.rows("silver.history") == history


def test_a_change_without_sequence_fails_the_flow_only(bench: Any) -> None:
    """Guards against guessing an order: the flow fails and the table stays as it was; other tables go on."""
    bench.write(FEED)
    bench.land("0.json", {"id": "a", "name": "n", "city": "c", "op": "upsert", "seq": 1})
    bench.good()
    bench.land("1.json", {"id": "a", "name": "m", "city": "c", "op": "upsert"})
    result = bench.update()
    assert not result.ok
    assert "sequence_by is NULL" in (result.error or "")
    assert bench.column("silver.current", "name") == ["n"]
    assert len(bench.rows("bronze.changes")) == 2


@pytest.mark.parametrize("argument", ["where='x'", "apply_as_truncates='x'", "once=True"])
def test_arguments_that_are_not_served_are_refused_by_name(bench: Any, argument: str) -> None:
    """Guards against a silent no-op."""
    bench.write(f"""
    dlt.create_streaming_table("t")
    dlt.apply_changes(target="t", source="s", keys=["id"], sequence_by="x", {argument})
    """)
    result = bench.update(dry_run=True)
    assert argument.split("=", maxsplit=1)[0] in (result.error or "")
