"""What the dbt project says about the world outside it agrees with the files that decide."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[3]


def test_targets_name_the_catalogs_of_the_configurations() -> None:
    """Guards against dbt building in another catalog than the one that DLT lands in."""
    profiles = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text(encoding="utf-8"))
    for target, output in profiles["orders"]["outputs"].items():
        file = PROJECT / "dlt_ingest" / "configurations" / f"{target}.json"
        assert output["catalog"] == json.loads(file.read_text(encoding="utf-8"))["CATALOG_NAME"], target


def test_every_doc_block_is_used_and_written_once() -> None:
    """Guards against two texts for one column, and against texts that nobody sees."""
    texts = {
        file: file.read_text(encoding="utf-8")
        for folder in ("dbt_project", "seeds")
        for file in (PROJECT / folder).rglob("*")
        if file.suffix in {".md", ".yml"}
    }
    blocks = [name for text in texts.values() for name in re.findall(r"{% docs (\w+) %}", text)]
    used = {name for text in texts.values() for name in re.findall(r"doc\(['\"](\w+)['\"]\)", text)}
    assert sorted(blocks) == sorted(set(blocks))
    assert set(blocks) - used == {"__overview__"}


def test_every_segment_rule_can_be_reached() -> None:
    """Guards against a rule that an earlier one always takes, and against customers whom no rule takes."""
    with (PROJECT / "seeds" / "customer_segments.csv").open(encoding="utf-8") as file:
        rules = sorted(csv.DictReader(file), key=lambda rule: int(rule["priority"]))

    def segment(**values: int) -> str | None:
        for rule in rules:
            if all(
                int(rule[f"min_{name}"]) <= value <= int(rule[f"max_{name}"])
                for name, value in values.items()
            ):
                return rule["segment"]
        return None

    customers = [
        {"recency_score": recency, "frequency_score": frequency, "revenue_orders": orders}
        for recency in range(1, 6)
        for frequency in range(1, 6)
        for orders in (1, 2, 999_999)
    ] + [{"recency_score": 0, "frequency_score": 0, "revenue_orders": 0}]
    assert {segment(**customer) for customer in customers} == {rule["segment"] for rule in rules}


def test_every_variable_is_declared():
    """Guards dbt_project.yml as the one list of variables: one that only a model knows is found by nobody."""
    declared = set(yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"])
    files = [
        file
        for folder in ("dbt_project", "macros", "tests/dbt")
        for kind in ("sql", "yml")
        for file in (PROJECT / folder).rglob(f"*.{kind}")
    ]
    used = {
        name for file in files for name in re.findall(r"\bvar\(['\"](\w+)", file.read_text(encoding="utf-8"))
    }
    assert used == declared
