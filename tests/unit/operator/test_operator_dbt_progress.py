"""Guards what a log shows while dbt runs: which group is done, and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orders.cli.dbt_progress import DbtProgress

NODES = {
    "seed.a": {"name": "statuses", "resource_type": "seed", "fqn": ["orders", "statuses"]},
    "model.b": {"name": "stg_b", "resource_type": "model", "fqn": ["orders", "staging", "b", "stg_b"]},
    "model.c": {"name": "fct_c", "resource_type": "model", "fqn": ["orders", "marts", "revenue", "fct_c"]},
    "test.d": {
        "name": "not_null_fct_c_id",
        "resource_type": "test",
        "fqn": ["orders", "marts", "revenue", "not_null_fct_c_id"],
        "attached_node": "model.c",
    },
    "test.e": {"name": "assert_e", "resource_type": "test", "fqn": ["orders", "marts", "assert_e"]},
}
# As dbt 1.11 prints them, without their times.
BUILD = [
    "1 of 2 START hook: orders.on-run-start.0 ............................ [RUN]",
    "1 of 2 OK hook: orders.on-run-start.0 ............................... [OK in 0.10s]",
    "1 of 5 START seed file gold.statuses ................................ [RUN]",
    "1 of 5 OK loaded seed file gold.statuses ............................ [INSERT 4 in 0.50s]",
    "2 of 5 START sql view model gold.stg_b .............................. [RUN]",
    "2 of 5 OK created sql view model gold.stg_b ......................... [OK in 0.70s]",
    "3 of 5 OK created sql incremental model gold.fct_c  [OK in 1.55s]",
    "4 of 5 PASS not_null_fct_c_id ....................................... [PASS in 0.30s]",
    "5 of 5 PASS assert_e ................................................ [PASS in 0.30s]",
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps({"nodes": NODES}))
    return file


def follow(lines: list[str], manifest: Path, seconds: float = 1.0) -> list[str]:
    told: list[str] = []
    now = [0.0]
    progress = DbtProgress("dbt build", told.append, manifest, lambda: now[0])
    for line in lines:
        now[0] += seconds
        progress.follow(line)
    progress.close()
    return told


def test_each_group_is_told_when_it_is_done(manifest: Path) -> None:
    """Guards the log of a job: a line per group with its time, in the order in which groups end."""
    assert follow(BUILD, manifest) == [
        "dbt build, 3 s: the project is parsed, 5 nodes to run",
        "dbt build, 4 s: seeds: 1 node",
        "dbt build, 6 s: staging: 1 node",
        "dbt build, 8 s: marts/revenue: 2 nodes",
        "dbt build, 9 s: tests across marts: 1 node",
    ]


def test_a_failure_is_told_at_once(manifest: Path) -> None:
    """Guards whoever watches: a node that fails is named when it fails, not in the end."""
    lines = [*BUILD[:6], "3 of 5 ERROR creating sql incremental model gold.fct_c  [ERROR in 1.55s]"]
    assert follow(lines, manifest)[-2:] == [
        "dbt build, 7 s: ERROR fct_c",
        "dbt build, 7 s: marts/revenue: 1 node",
    ]


def test_there_is_no_long_silence(manifest: Path) -> None:
    """Guards a slow group: after 20 seconds without a line the number of finished nodes is told."""
    assert "dbt build, 125 s: 1 of 5 nodes" in follow(BUILD, manifest, seconds=25.0)


def test_without_a_manifest_there_is_progress_all_the_same(tmp_path: Path) -> None:
    """Guards the build against its own progress: an unreadable manifest costs the groups, not the run."""
    assert follow(BUILD, tmp_path / "none.json", seconds=25.0)[1:] == [
        "dbt build, 100 s: 1 of 5 nodes",
        "dbt build, 125 s: 1 of 5 nodes",
        "dbt build, 150 s: 2 of 5 nodes",
        "dbt build, 175 s: 3 of 5 nodes",
        "dbt build, 200 s: 4 of 5 nodes",
        "dbt build, 225 s: 5 of 5 nodes",
    ]
