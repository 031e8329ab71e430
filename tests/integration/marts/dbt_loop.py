"""Runs dbt commands in one process: a line of JSON (a list of arguments) in, a line of JSON (success, output) out.

Starting dbt takes longer than most of the commands that these tests run.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from dbt.cli.main import dbtRunner


def main() -> None:
    """Serve until standard input ends."""
    replies = sys.stdout
    runner = dbtRunner()
    for line in sys.stdin:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            result = runner.invoke(json.loads(line))
        text = output.getvalue() + (f"\n{result.exception}" if result.exception else "")
        replies.write(json.dumps({"success": result.success, "output": text}) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
