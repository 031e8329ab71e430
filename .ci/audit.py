"""Asks for known vulnerabilities of every pin of requirements.lock, and fails if the answer leaves one out.

`pip-audit` alone is not conclusive: it looks only at the pins whose condition holds on the Python that runs it, and passes
over what its sources do not know. Here every pin is asked for, whatever its condition, and each must be in the answer. It
needs pip-audit in the environment and the network; `make audit` sees to the first.

    python .ci/audit.py [LOCK_FILE]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)\s*(?:;.*)?")


def pins(text: str) -> list[tuple[str, str]]:
    """Return name and version of every pin of a lock file, conditions left out.

    Raises:
        ValueError: A line is neither a pin nor a comment.
    """
    found = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _PIN.fullmatch(line.strip())
        if match is None:
            raise ValueError(
                f"This line is not a pin: {line!r}; allowed: name==version, with a condition behind ; if needed"
            )
        found.append((normalised(match[1]), match[2]))
    return list(dict.fromkeys(found))


def normalised(name: str) -> str:
    """Return a name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def groups(wanted: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Split pins so that no group has two versions of one package, which pip-audit refuses."""
    made: list[dict[str, str]] = []
    for name, version in wanted:
        group = next((group for group in made if name not in group), None)
        if group is None:
            made.append(group := {})
        group[name] = version
    return [list(group.items()) for group in made]


def judge(asked: Iterable[tuple[str, str]], report: Mapping[str, Any]) -> list[str]:
    """Return what is wrong: vulnerabilities by pin, and pins without an answer."""
    answers = {normalised(entry["name"]): entry for entry in report.get("dependencies", ())}
    wrong = []
    for name, version in asked:
        entry = answers.get(name)
        if entry is None or entry.get("version") != version or "vulns" not in entry:
            reason = (entry or {}).get("skip_reason", "it is not in the report")
            wrong.append(f"{name}=={version}: no answer ({reason})")
            continue
        for found in entry["vulns"]:
            fixed = ", ".join(found.get("fix_versions") or ["none"])
            wrong.append(f"{name}=={version}: {found['id']}, fixed in {fixed}")
    return wrong


def main(arguments: list[str]) -> int:
    """Audit a lock file; return 0 if every pin has an answer, and no answer is a vulnerability."""
    lock = Path(arguments[0] if arguments else "requirements.lock")
    wanted = pins(lock.read_text(encoding="utf-8"))
    wrong: list[str] = []
    for group in groups(wanted):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pins.txt"
            file.write_text("".join(f"{name}=={version}\n" for name, version in group), encoding="utf-8")
            command = [
                sys.executable,
                "-m",
                "pip_audit",
                "--requirement",
                str(file),
                "--no-deps",
                "--disable-pip",
            ]
            done = subprocess.run(
                [*command, "--format", "json", "--progress-spinner", "off"],
                capture_output=True,
                text=True,
                check=False,
            )
        try:
            report = json.loads(done.stdout)
        except ValueError:
            print(
                f"pip-audit gave no report (exit code {done.returncode}): {done.stderr.strip()[-500:]}",
                file=sys.stderr,
            )
            return 2
        wrong += judge(group, report)
    for line in wrong:
        print(line)
    print(f"{len(wanted)} pins asked for, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
