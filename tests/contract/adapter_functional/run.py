"""dbt-databricks' own functional tests, run against a workspace's SQL warehouse.

``python tests/contract/adapter_functional/run.py CHECKOUT`` takes a checkout of https://github.com/databricks/dbt-databricks,
of which nothing is part of this project. The tests are copied to a folder of their own, so that the adapter they meet is
the one that is installed. They need ``dbt-tests-adapter`` and ``freezegun``, which this project does not. Each file of
tests runs in a process of its own; what was run before is not run again without ``--again``.

``--page docs/adapter-tests.md`` writes the page of what passed and why the rest did not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
# Parts of test names -> why they ask for what a workspace on a laptop does not have.
OUT_OF_SCOPE = {
    "python_model/": "Python models",
    "materialized_view_tests/": "materialized views made by SQL",
    "streaming_tables/": "streaming tables made by SQL",
    "spog/": "the address of another workspace (network)",
    "warehouse_per_model/": "several warehouses (clusters)",
    "MaterializedView": "materialized views made by SQL",
    "StreamingTable": "streaming tables made by SQL",
    "PythonUDF": "functions in Python",
    "GovernedTag": "governed tags, which belong to an account",
}
BY_MARKER = {
    "python": "Python models",
    "dlt": "materialized views and streaming tables made by SQL",
    "external": "external locations",
}
# Parts of test names -> why a test in scope fails, where that is known.
KNOWN = {
    "TestIncrementalParquet": "tables in Parquet: a workspace has Delta tables alone",
    "TestIncrementalCSV": "tables in CSV: a workspace has Delta tables alone",
    "metric_views/": "metric views",
}


def main() -> int:
    """Run the tests that are asked for; return 0 if all that are in scope passed or were left out by themselves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="a checkout of dbt-databricks")
    parser.add_argument(
        "--work", type=Path, default=Path(".adapter-tests"), help="the folder for tests and results"
    )
    parser.add_argument("--only", default="", help="files whose path matches this expression")
    parser.add_argument("--again", action="store_true", help="run files again that were run before")
    parser.add_argument("--page", type=Path, help="write the page of results here")
    parser.add_argument(
        "--prefix", default="", help="a command to put before each file's, such as 'nice -n 10'"
    )
    parser.add_argument("--pytest", default="", help="more options of pytest, as one text")
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    files = copy_tests(arguments.checkout, work)
    wanted = [f for f in files if re.search(arguments.only, f) and out_of_scope(f, []) is None]
    missing = [f for f in wanted if arguments.again or not results_file(work, f).exists()]
    if missing:
        run(work, missing, shlex.split(arguments.prefix), shlex.split(arguments.pytest))
    results = read_results(work)
    lines = table(results)
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.page is not None:
        arguments.page.write_text(page(results, version_of(arguments.checkout)))
    silent = [f for f in wanted if not results_file(work, f).exists()]
    if silent:
        sys.stdout.write(f"No result at all, see {work / 'output.log'}: {', '.join(silent)}\n")
    failed = any(r["outcome"] == "failed" and reason(r) is None for r in results.values())
    return int(failed or bool(silent))


def version_of(checkout: Path) -> str:
    """The version of the adapter in a checkout."""
    text = (checkout / "dbt" / "adapters" / "databricks" / "__version__.py").read_text()
    return text.partition('"')[2].partition('"')[0]


def copy_tests(checkout: Path, work: Path) -> list[str]:
    """Copy the tests, without the adapter beside them; return their files."""
    suite = work / "suite"
    if not suite.exists():
        shutil.copytree(checkout / "tests", suite / "tests")
        shutil.copy(checkout / "pyproject.toml", suite)
    adapter = suite / "tests" / "functional" / "adapter"
    return sorted(str(path.relative_to(adapter)) for path in adapter.rglob("test_*.py"))


def results_file(work: Path, file: str) -> Path:
    """Where the results of one file of tests are."""
    return work / "results" / (file.replace("/", ".") + ".jsonl")


def run(work: Path, files: list[str], prefix: list[str], rest: list[str]) -> None:
    """Run files of tests against one warehouse that lives as long as they do."""
    warehouse = subprocess.Popen(
        [sys.executable, "-m", "local_workspace.sql_warehouse", "--home", work / "home", "--catalog", "main"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        environment = {**os.environ, **warehouse_variables(warehouse)}
        for file in files:
            results = results_file(work, file)
            results.parent.mkdir(parents=True, exist_ok=True)
            results.unlink(missing_ok=True)
            environment["ADAPTER_TESTS_RESULTS"] = str(results)
            with (work / "output.log").open("a") as output:
                subprocess.run(
                    [
                        *prefix,
                        *(sys.executable, "-m", "pytest", f"tests/functional/adapter/{file}"),
                        *("-p", "workspace_profile", "-p", "no:xdist", "-p", "no:cacheprovider", "-q"),
                        *rest,
                    ],
                    cwd=work / "suite",
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            lines = read_file(results).values() if results.exists() else ()
            counts = Counter(line["outcome"] for line in lines)
            sys.stdout.write(
                f"{file}: {', '.join(f'{n} {o}' for o, n in sorted(counts.items())) or 'nothing'}\n"
            )
            sys.stdout.flush()
    finally:
        if warehouse.stdin is not None:
            warehouse.stdin.close()
        warehouse.wait(30)


def warehouse_variables(warehouse: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that the plugin reads, from what the warehouse says of itself."""
    said: dict[str, str] = {}
    assert warehouse.stdout is not None
    while "REQUESTS_CA_BUNDLE" not in said:
        line = warehouse.stdout.readline()
        if not line:
            raise SystemExit("The warehouse did not start; see what it wrote above.")
        key, _, value = line.removeprefix("export ").strip().partition("=")
        said[key] = shlex.split(value)[0]
    users = {
        f"DBT_TEST_USER_{n}": f"{name}@example.com" for n, name in enumerate(("alice", "bob", "carol"), 1)
    }
    catalog = {"DBT_DATABRICKS_UC_INITIAL_CATALOG": "main"}
    path = {"DBT_DATABRICKS_HTTP_PATH": said["ORDERS_WAREHOUSE_HTTP_PATH"]}
    return {**said, **users, **catalog, **path, "PYTHONPATH": str(Path(__file__).parent)}


def read_file(path: Path) -> dict[str, dict[str, Any]]:
    """The results of one file: the worst of a test's phases."""
    found: dict[str, dict[str, Any]] = {}
    for text in path.read_text().splitlines():
        line = json.loads(text)
        former = found.get(line["test"])
        if former is None or (former["outcome"] != "failed" and line["outcome"] != "passed"):
            found[line["test"]] = line
    return found


def read_results(work: Path) -> dict[str, dict[str, Any]]:
    """All results there are, by test."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((work / "results").glob("*.jsonl")):
        found.update(read_file(path))
    return found


def out_of_scope(file: str, markers: list[str]) -> str | None:
    """Why a test is none of a local warehouse's, or None."""
    by_name = [text for part, text in OUT_OF_SCOPE.items() if part in file]
    by_marker = [text for marker, text in BY_MARKER.items() if marker in markers]
    return next(iter(by_name + by_marker), None)


def reason(result: dict[str, Any]) -> str | None:
    """Why a result does not count, or None."""
    return out_of_scope(result["test"].removeprefix("tests/functional/adapter/"), result["markers"])


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each folder, and one for all."""
    folders: dict[str, Counter[str]] = {}
    for name, result in sorted(results.items()):
        folder = name.split("/")[3]
        outcome = "out of scope" if reason(result) else result["outcome"]
        folders.setdefault(folder, Counter())[outcome] += 1
    total = sum(folders.values(), Counter())
    lines = [
        "| tests of | passed | failed | left out by themselves | out of scope |",
        "|---|---:|---:|---:|---:|",
    ]
    for folder, counts in [*folders.items(), ("**all**", total)]:
        numbers = (counts[o] for o in ("passed", "failed", "skipped", "out of scope"))
        lines.append(f"| {folder} | " + " | ".join(str(n) for n in numbers) + " |")
    return lines


def page(results: dict[str, dict[str, Any]], version: str) -> str:
    """The page for docs/: what passed, and why the rest did not."""
    counted = {name: r for name, r in results.items() if reason(r) is None and r["outcome"] != "skipped"}
    passed = sum(r["outcome"] == "passed" for r in counted.values())
    share = 100 * passed / max(1, len(counted))
    lines = [
        "# dbt-databricks' own tests",
        "",
        "Written by `python tests/contract/adapter_functional/run.py CHECKOUT --page`; the numbers are of its last run.",
        f"The tests are those of dbt-databricks {version}, of which nothing is part of this project; the adapter that they",
        "met is the installed one.",
        "",
        f"Of {len(counted)} tests that ran and ask for nothing a laptop does not have, {passed} passed ({share:.1f} %).",
        "Left out by themselves are those that the adapter's authors skip on SQL warehouses.",
        "",
        *table(results),
        "",
        "Out of scope, since they ask for what a workspace on a laptop does not have: "
        + ", ".join(sorted({*OUT_OF_SCOPE.values(), *BY_MARKER.values()}))
        + ".",
        "",
        "## What fails",
        "",
    ]
    failed = [(name, r) for name, r in sorted(counted.items()) if r["outcome"] == "failed"]
    lines += ["| test | because |", "|---|---|"] if failed else ["Nothing."]
    for name, result in failed:
        lines.append(f"| `{name.split('adapter/')[1]}` | {_because(name, result)} |")
    return "\n".join(lines) + "\n"


def _because(name: str, result: dict[str, Any]) -> str:
    known = next((why for part, why in KNOWN.items() if part in name), None)
    if known is not None:
        return known
    said = [line for line in result["text"].splitlines() if "SQLSTATE" in line or line.startswith("E  ")]
    text = said[0] if said else "see output.log"
    return " ".join(text.removeprefix("E").split()).replace("|", "\\|")[:200]


if __name__ == "__main__":
    sys.exit(main())
