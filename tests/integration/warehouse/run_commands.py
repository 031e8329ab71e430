"""Runs dbt commands one after another in one process, which spares its start for each; used by the tests beside it.

Reads a JSON list of argument lists from standard input, writes a JSON list of ``[success, output]`` to the file named first.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner


def main() -> None:
    outcomes = []
    for arguments in json.load(sys.stdin):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            result = dbtRunner().invoke(["--no-use-colors", *arguments])
        outcomes.append(
            [result.success, text.getvalue() + (str(result.exception) if result.exception else "")]
        )
    Path(sys.argv[1]).write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main()
