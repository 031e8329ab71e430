"""Apache Spark itself resolves the graph of our DLT files, where Java is there to run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[3]
GRAPH = Path(__file__).parent / "spark_pipelines"


@pytest.mark.skipif(
    shutil.which("java") is None, reason="spark-pipelines needs Java, and there is none on PATH"
)
def test_graph_resolves_under_apache_spark(tmp_path: Path) -> None:
    """Guards that every dataset resolves with its columns and upstreams; the two planted wrong ones must not."""
    shutil.copytree(GRAPH, tmp_path / "graph", ignore=shutil.ignore_patterns("__pycache__"))
    landing = tmp_path / "landing"
    landing.mkdir()
    (tmp_path / "spark-pipeline.yml").write_text(
        f"name: orders\nstorage: {(tmp_path / 'storage').as_uri()}\n"
        "libraries:\n  - glob:\n      include: graph/**\n"
        f"configuration:\n  orders.landing_path: {landing}\n  orders.environment: local\n",
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        "ORDERS_PROJECT_ROOT": str(PROJECT_ROOT),
        # Names and no paths: pyspark's shell scripts break a path at its blanks.
        "PYSPARK_PYTHON": "python",
        "PYSPARK_DRIVER_PYTHON": "python",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("spark-pipelines"), "dry-run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    output = done.stdout + done.stderr
    failed = re.search(r"Flows with errors: (.*)", output)
    assert failed is not None, output[-4000:]
    names = {name.strip().removeprefix("spark_catalog.") for name in failed.group(1).split(",")}
    assert names == {"silver.wrong_column", "silver.wrong_upstream"}, output[-4000:]
    upstream = re.search(r"Flows that failed due to upstream errors:(.*)", output)
    assert upstream is not None, output[-4000:]
    assert upstream.group(1).strip() == "", output[-4000:]
    assert "no_such_column" in output
