"""Lint the dashboards' JavaScript with oxlint, a linter that needs no Node.

The files share one scope in the page, so they are linted as one text: else every name that another file uses would count as
unused, and every name of another file as undeclared. A finding is shown at its own file and line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from local_workspace.dashboards import render

FOLDER = Path(render.__file__).parent / "page"
LINTER = Path(sys.executable).with_name("oxlint")
CONFIGURATION = Path(__file__).with_name("oxlint.json")


def findings(code: str) -> list[tuple[int, str]]:
    """Return the line in the joined text and the message of each finding."""
    if not LINTER.exists():
        sys.exit(f"{LINTER} does not exist. Next: make venv, which installs requirements.lock")
    with tempfile.TemporaryDirectory() as folder:
        # In a function, as in the page: there a name that nothing uses is unused.
        (Path(folder) / "page.js").write_text(f"(function () {{\n{code}}})();\n", encoding="utf-8")
        command = [str(LINTER), "--config", str(CONFIGURATION), "--format", "json", folder]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if not run.stdout.lstrip().startswith("{"):
        sys.exit(f"oxlint failed: {run.stdout}{run.stderr}")
    return [
        (
            entry["labels"][0]["span"]["line"] - 1 if entry["labels"] else 1,
            f"{entry['message']} ({entry.get('code', 'syntax')})",
        )
        for entry in json.loads(run.stdout)["diagnostics"]
    ]


def main() -> int:
    """Print the findings; return 1 if there are any."""
    starts, line = [], 1
    for name in render.SCRIPTS:
        starts.append((line, f"{name}.js"))
        line += (FOLDER / f"{name}.js").read_text(encoding="utf-8").count("\n") + 1
    found = findings(render.page_code())
    for at, message in found:
        first, name = next(start for start in reversed(starts) if start[0] <= at)
        print(f"local_workspace/dashboards/page/{name}:{at - first + 1}: {message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
