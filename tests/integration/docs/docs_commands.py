"""Collects every command of the documentation: from fences marked `console`, and from crontab lines.

A fence says by its info string what its commands need: `console` a laptop, `console workspace` a Databricks workspace.
The second kind has the line "*Needs a workspace:*" right above it, since a rendered page does not show info strings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
PAGES = sorted([*PROJECT.glob("docs/**/*.md"), *PROJECT.glob("*.md")])
# Fences with commands or statements, and fences without. Any other is refused: its commands would be seen by nobody.
COMMANDS_OF = {"console": False, "console workspace": True, "crontab": False}
STATEMENTS = frozenset({"sql", "sql workspace"})
NO_COMMANDS = frozenset({"mermaid", "text", "python", "yaml", "yaml bundle"})
_FENCE = re.compile(r"^[ ]*```([^\n]*)\n(.*?)^[ ]*```", re.DOTALL | re.MULTILINE)
_CRON_FIELDS = 5


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page.

    Attributes:
        page: Path of the page below the project.
        line: Line of its first content.
        kind: The info string.
        text: What is in it.
        above: The last line of text before it.
    """

    page: str
    line: int
    kind: str
    text: str
    above: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def needs_workspace(self) -> bool:
        """Whether it is marked as needing a Databricks workspace."""
        return self.kind.endswith(" workspace")

    @property
    def commands(self) -> list[str]:
        """Its commands, without prompt or crontab fields; lines without a prompt are output."""
        lines = [line.strip() for line in self.text.splitlines()]
        if self.kind == "crontab":
            return [line.split(maxsplit=_CRON_FIELDS)[_CRON_FIELDS] for line in lines if line]
        if self.kind not in COMMANDS_OF:
            return []
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def fences() -> list[Fence]:
    """Every fence of every page, in the order of pages and of their lines."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            before = [line for line in text[: match.start()].splitlines() if line.strip()]
            found.append(
                Fence(
                    page=page.relative_to(PROJECT).as_posix(),
                    line=text.count("\n", 0, match.start(2)) + 1,
                    kind=match[1].strip(),
                    text=match[2],
                    above=before[-1] if before else "",
                )
            )
    return found


def without_comment(command: str) -> str:
    """A command without the remark for the reader behind it."""
    return re.sub(r"\s+#\s.*$", "", command)
