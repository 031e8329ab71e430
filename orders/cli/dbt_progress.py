"""Progress of dbt: a changing line on a terminal; in a log, one line per finished group of nodes.

dbt prints two lines per node, which go to a file. A log shows that work continues, what is finished, and when.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_NODE = re.compile(
    r"^(?P<number>\d+) of (?P<total>\d+) (?P<state>START|OK|PASS|ERROR|FAIL|WARN|SKIP|NO-OP) (?P<what>.*)$"
)
# Where dbt's lines have a name: the last word before the dots or the brackets.
_NAME = re.compile(r"(?:\w+\.)?(\w+)\s*(?:\.{2,}\s*)?\[")
_SILENCE_SECONDS = 20.0
_ENDED = frozenset({"OK", "PASS", "ERROR", "FAIL", "WARN", "SKIP", "NO-OP"})


class DbtProgress:
    """Follows the lines of one dbt command.

    Args:
        command: The command, for its lines: `dbt build`.
        tell: Writes a line to the log.
        manifest: File of the manifest, which dbt writes before it runs the first node.
        clock: Seconds, from any start.
    """

    def __init__(
        self,
        command: str,
        tell: Callable[[str], None],
        manifest: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._tell = tell
        self._manifest = manifest
        self._clock = clock
        self._started = self._told_at = clock()
        self._groups: Mapping[str, str] = {}
        self._open: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._at = (0, 0)

    def follow(self, line: str) -> str | None:
        """Read one line of dbt without its time; return the text for a status line if it is about a node."""
        found = _NODE.match(line)
        if found is None or "hook: " in found["what"]:
            return None
        if not self._groups:
            self._begin(int(found["total"]))
        if found["state"] in _ENDED:
            self._end(found)
        if self._clock() - self._told_at >= _SILENCE_SECONDS:
            self._say(f"{self._at[0]:,} of {self._at[1]:,} nodes")
        return f"{self._command}: {self._at[0]:,} of {self._at[1]:,} nodes"

    def close(self) -> None:
        """Report the progress of incomplete groups, after a selection of nodes or a failed build."""
        for group, left in self._open.items():
            if left > 0 and self._done[group]:
                self._say(f"{group}: {_counted(self._done[group])}")

    def _begin(self, total: int) -> None:
        self._groups = _groups(self._manifest)
        self._open = Counter(self._groups.values())
        self._at = (0, total)
        self._say(f"the project is parsed, {_counted(total)} to run")

    def _end(self, found: re.Match[str]) -> None:
        self._at = (self._at[0] + 1, self._at[1])
        named = _NAME.search(found["what"])
        name = named[1] if named else ""
        if found["state"] in {"ERROR", "FAIL"}:
            self._say(f"{found['state']} {name or found['what']}")
        group = self._groups.get(name)
        if group is None:
            return
        self._open[group] -= 1
        self._done[group] += 1
        if self._open[group] == 0:
            self._say(f"{group}: {_counted(self._done[group])}")

    def _say(self, text: str) -> None:
        self._told_at = self._clock()
        self._tell(f"{self._command}, {self._told_at - self._started:.0f} s: {text}")


def _counted(nodes: int) -> str:
    return f"{nodes:,} node{'' if nodes == 1 else 's'}"


def _groups(manifest: Path) -> dict[str, str]:
    """Return the group of each node by name: the folder of a model, and for a test the folder of what it tests."""
    try:
        nodes: dict[str, dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    except (OSError, ValueError, KeyError):
        # This affects progress only: without the manifest, lines appear by time and the build continues.
        return {"": ""}
    found = {}
    for node in nodes.values():
        tested = nodes.get(node.get("attached_node") or "", node)
        found[node["name"]] = _folder(tested)
    return found


def _folder(node: Mapping[str, Any]) -> str:
    if node["resource_type"] != "model":
        return f"{node['resource_type']}s" if node["resource_type"] != "test" else "tests across marts"
    folders = node["fqn"][1:-1]
    return "/".join(folders[:2] if folders[:1] == ["marts"] else folders[:1])
