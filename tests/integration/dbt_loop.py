"""Runs dbt commands in one process, for `dbt_process.py`: a line of JSON in for each command, a line of JSON out.

In: `arguments` of dbt, `folder` to run in, the whole `environment`. Out: the fields of `dbt_process.Outcome`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

from dbt.cli.main import dbtRunner
from dbt_common.tests import enable_test_caching


def main() -> None:
    """Serve until standard input ends."""
    # As in dbt's own tests: a macro whose text was parsed once in this process is not parsed again.
    enable_test_caching()
    replies = sys.stdout
    for line in sys.stdin:
        replies.write(json.dumps(_run(**json.loads(line))) + "\n")
        replies.flush()


def _run(arguments: list[str], folder: str, environment: dict[str, str]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    messages: list[tuple[str, str]] = []
    statements: list[str] = []

    def listen(event: Any) -> None:
        messages.append((event.info.level, event.info.msg))
        if event.info.name == "SQLQuery":
            statements.append(event.data.sql)

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        done = dbtRunner(callbacks=[listen]).invoke(arguments)
    # `parse` and `docs generate` have results of other kinds, and the hooks of an invocation are no nodes of the project.
    results = [
        result
        for result in getattr(done.result, "results", None) or []
        if hasattr(result, "node") and result.node.resource_type != "operation"
    ]
    return {
        "success": done.success,
        "output": output.getvalue(),
        "exception": str(done.exception) if done.exception is not None else None,
        "statuses": {result.node.unique_id: str(result.status) for result in results},
        "compiled": {
            result.node.unique_id: code
            for result in results
            if (code := getattr(result.node, "compiled_code", None)) is not None
        },
        "messages": messages,
        "statements": statements,
    }


if __name__ == "__main__":
    main()
