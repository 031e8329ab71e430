"""dbt-databricks' own functional tests, run against a workspace's SQL warehouse.

``python tests/contract/adapter_functional/run.py CHECKOUT`` takes a checkout of https://github.com/databricks/dbt-databricks,
of which nothing is part of this project. The tests are copied to a folder of their own, so that the adapter they meet is
the one that is installed. They need ``dbt-tests-adapter`` and ``freezegun``, which this project does not.

All run in one process, against one warehouse. What was run before is not run again without ``--again``, so that the
whole can be done in pieces: ``--seconds`` stops after the class of tests that is running then.
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
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scope import out_of_scope

PROJECT = Path(__file__).parents[3]
Results = dict[str, dict[str, Any]]
_NOT_CLUSTERED = "CLUSTER BY is recorded and not acted on, so OPTIMIZE of a table of one file commits nothing"
# Parts of test names -> why a test in scope fails, where that is known.
KNOWN = {
    "test_liquid_clustering.py::TestLiquidClustering::": _NOT_CLUSTERED,
    "TestTableLiquidClusteringEffect": _NOT_CLUSTERED,
    "GovernedTag": "it makes a governed tag, which belongs to an account; a workspace has none",
}


def main() -> int:
    """Run the tests that are asked for; return 0 if none that is in scope failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="a checkout of dbt-databricks")
    parser.add_argument(
        "--work", type=Path, default=Path(".adapter-tests"), help="the folder for tests and results"
    )
    parser.add_argument("--only", default="", help="tests whose name matches this expression")
    parser.add_argument("--again", choices=["all", "failed"], help="run tests again that were run before")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop when this time is over")
    parser.add_argument("--page", type=Path, help="write the page of results here; run nothing")
    parser.add_argument("--pytest", default="", help="more options of pytest, as one text")
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    copy_tests(arguments.checkout, work)
    if arguments.page is None:
        forget(work, arguments.only, arguments.again)
        run(work, arguments.only, time.time() + arguments.seconds, shlex.split(arguments.pytest))
    results = read_results(work)
    sys.stdout.write("\n".join(table(results)) + "\n")
    if arguments.page is not None:
        collected = json.loads((work / "collected.json").read_text())
        not_run = sorted(set(collected) - set(results))
        arguments.page.write_text(page(results, not_run, version_of(arguments.checkout)))
    return int(any(r["outcome"] == "failed" for r in results.values()))


def version_of(checkout: Path) -> str:
    """The version of the adapter in a checkout."""
    text = (checkout / "dbt" / "adapters" / "databricks" / "__version__.py").read_text()
    return text.partition('"')[2].partition('"')[0]


def copy_tests(checkout: Path, work: Path) -> None:
    """Copy the tests, without the adapter beside them."""
    suite = work / "suite"
    if not suite.exists():
        shutil.copytree(checkout / "tests", suite / "tests")
        shutil.copy(checkout / "pyproject.toml", suite)
    (work / "results.jsonl").touch()


def forget(work: Path, only: str, again: str | None) -> None:
    """Take the results out of those tests that are to be run again; the tests of a class go together."""
    results = read_results(work)
    classes = {
        name.rpartition("::")[0]
        for name, result in results.items()
        if again is not None and re.search(only, name) and (again == "all" or result["outcome"] == "failed")
    }
    kept = [r for name, r in results.items() if name.rpartition("::")[0] not in classes]
    (work / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))


def run(work: Path, only: str, until: float, rest: list[str]) -> None:
    """Run tests against one warehouse that lives as long as they do."""
    catalogs = ("--catalog", "main", "--catalog", "alternate")
    warehouse = subprocess.Popen(
        [sys.executable, "-m", "local_workspace.sql_warehouse", "--home", work / "home", *catalogs],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        environment = {
            **os.environ,
            **warehouse_variables(warehouse),
            "ADAPTER_TESTS_RESULTS": str(work / "results.jsonl"),
            "ADAPTER_TESTS_ONLY": only,
            "ADAPTER_TESTS_UNTIL": str(until),
        }
        with (work / "output.log").open("w") as output:
            subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "tests/functional/adapter"),
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
    catalog = {"DBT_DATABRICKS_UC_INITIAL_CATALOG": "main", "DBT_DATABRICKS_ALT_CATALOG": "alternate"}
    # The one warehouse is asked for what the authors run on a cluster, too.
    names = ("DBT_DATABRICKS_HTTP_PATH", "DBT_DATABRICKS_UC_CLUSTER_HTTP_PATH")
    path = dict.fromkeys(names, said["ORDERS_WAREHOUSE_HTTP_PATH"])
    return {**said, **users, **catalog, **path, "PYTHONPATH": str(Path(__file__).parent)}


def read_results(work: Path) -> Results:
    """The result of each test: the worst of its phases."""
    found: Results = {}
    for text in (work / "results.jsonl").read_text().splitlines():
        line = json.loads(text)
        former = found.get(line["test"])
        if former is None or (former["outcome"] != "failed" and line["outcome"] != "passed"):
            found[line["test"]] = line
    return found


def table(results: Results) -> list[str]:
    """A line for each folder, and one for all."""
    folders: dict[str, Counter[str]] = {}
    for name, result in sorted(results.items()):
        folders.setdefault(name.split("/")[3], Counter())[result["outcome"]] += 1
    total = sum(folders.values(), Counter())
    lines = [
        "| tests of | passed | failed | skipped by themselves | out of scope |",
        "|---|---:|---:|---:|---:|",
    ]
    for folder, counts in [*folders.items(), ("**all**", total)]:
        numbers = (counts[o] for o in ("passed", "failed", "skipped", "left out"))
        lines.append(f"| {folder} | " + " | ".join(str(n) for n in numbers) + " |")
    return lines


def page(results: Results, not_run: list[str], version: str) -> str:
    """The page for docs/: what passed, and why the rest did not."""
    counted = {name: r for name, r in results.items() if r["outcome"] in ("passed", "failed")}
    passed = sum(r["outcome"] == "passed" for r in counted.values())
    share = 100 * passed / max(1, len(counted))
    reasons = Counter(out_of_scope(n, r["marks"]) for n, r in results.items() if r["outcome"] == "left out")
    skipped = Counter(
        r["text"].strip().removeprefix("Skipped: ") for r in results.values() if r["outcome"] == "skipped"
    )
    lines = [
        "# dbt-databricks' own tests",
        "",
        "Written by `python tests/contract/adapter_functional/run.py CHECKOUT --page`; the numbers are of its last run.",
        f"The tests are those of dbt-databricks {version}, of which nothing is part of this project; the adapter that they",
        "met is the installed one.",
        "",
        f"Of {len(counted)} tests that ran and ask for nothing a laptop does not have, {passed} passed ({share:.1f} %).",
        "",
        *table(results),
        "",
        "## Out of scope",
        "",
        "These ask for what a workspace on a laptop does not have. The rules are in `scope.py` beside the script.",
        "",
        "| they need | tests |",
        "|---|---:|",
        *(f"| {reason} | {number} |" for reason, number in reasons.most_common()),
        "",
        "## Skipped by themselves",
        "",
        "| the adapter's authors say | tests |",
        "|---|---:|",
        *(f"| {reason} | {number} |" for reason, number in skipped.most_common()),
        "",
        "## What fails",
        "",
    ]
    failed = [(name, r) for name, r in sorted(counted.items()) if r["outcome"] == "failed"]
    lines += ["| test | because |", "|---|---|"] if failed else ["Nothing."]
    for name, result in failed:
        lines.append(f"| `{name.split('adapter/')[1]}` | {_because(name, result)} |")
    if not_run:
        lines += ["", "## Not run", "", "These were not reached, and are in none of the numbers.", ""]
        lines += [f"- `{name.split('adapter/')[1]}`" for name in not_run]
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
