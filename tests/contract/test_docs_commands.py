"""Documentation that cannot go stale unseen: its commands parse, its SQL has its relations, its files and links exist.

Blocks marked `console` are for a laptop; blocks marked `console workspace` need a Databricks workspace and may
hold nothing that a laptop could prove.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import click
import pytest

from dlt_ingest.bundle import Bundle
from dlt_ingest.bundle.check.relations import read_relations
from dlt_ingest.bundle.check.sql import problem_of
from dlt_ingest.governance import erasure_statements

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT_ROOT.glob("docs/**/*.md"), *PROJECT_ROOT.glob("*.md")])
_BLOCK = re.compile(r"^[ ]*```(console[^\n]*)\n(.*?)^[ ]*```", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"`([\w.][\w./-]*\.(?:py|yml|yaml|json|toml|md|sql|csv|lock|ipynb))`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Made when the project runs, so not in a fresh clone.
_MADE = re.compile(r"^(target|\.venv|\.workspace|logs|dist)/")


@dataclass(frozen=True)
class Command:
    """A command of a page: where it stands, and whether its block is marked as needing a workspace."""

    page: str
    line: int
    text: str
    in_workspace: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.text}"


def _commands() -> list[Command]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            first = text.count("\n", 0, block.start(2)) + 1
            for number, line in enumerate(block.group(2).splitlines()):
                if line.strip().startswith("$ "):
                    shown = page.relative_to(PROJECT_ROOT).as_posix()
                    found.append(
                        Command(
                            shown,
                            first + number,
                            line.strip()[2:],
                            block.group(1).strip() == "console workspace",
                        )
                    )
    return found


COMMANDS = _commands()


def test_pages_have_commands() -> None:
    """Guards the other tests against looking at nothing."""
    assert len(COMMANDS) > 30
    assert {command.in_workspace for command in COMMANDS} == {True, False}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_exists(command: Command) -> None:
    """Guards that each documented command, with its options and arguments, is one that its program takes."""
    parts = re.split(r"\s(?:\|\||&&|\||<|>)\s", command.text)
    for part in parts[:1] if "<" in command.text else parts:
        _check(shlex.split(part, comments=True), command)


def _check(words: list[str], command: Command) -> None:
    program = words[0].rsplit("/", 1)[-1]
    if command.in_workspace:
        assert program in {"databricks", "dbt"}, f"{command}: runs on a laptop, so mark its block `console`"
    if program == "databricks":
        assert command.in_workspace, f"{command}: mark its block `console workspace`"
        _check_databricks(words[1:], command)
    elif program == "orders":
        _parse(_orders(), words[1:])
        if words[1] in {"build", "docs"}:
            _check(["dbt", *({"docs": ["docs", "generate"]}.get(words[1], ["build"])), *words[2:]], command)
        if words[1] == "sql":
            problem, _ = problem_of(words[2], read_relations(PROJECT_ROOT), default_schema=None)
            assert problem is None, f"{command}: {problem}"
    elif program == "dbt":
        # dbt looks for the folder of profiles.yml while it parses.
        _parse(_dbt(), [*words[1:], "--profiles-dir", str(PROJECT_ROOT / "profiles")])
    elif program == "make":
        targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
        assert set(words[1:]) <= targets, f"{command}: {words[1:]} of {sorted(targets)}"
    elif program in {"python", "python3"}:
        assert words[1] == "-m", command
        module = PROJECT_ROOT / words[2].replace(".", "/")
        assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file(), command
    else:
        assert program in {"cd", "curl", "eval", "git", "pre-commit", "psql", "source"}, (
            f"{command}: unknown program"
        )
        for inner in re.findall(r"\$\(orders ([^)]*)\)", command.text):
            _parse(_orders(), shlex.split(inner))


def _check_databricks(words: list[str], command: Command) -> None:
    if words[:1] != ["bundle"]:
        return
    assert words[1] in {"deploy", "destroy", "run", "summary", "validate"}, command
    flags = dict(pairwise(words))
    bundle = Bundle.load(PROJECT_ROOT, flags.get("-t") or flags.get("--target"))
    if "--var" in flags:
        assert bundle.variable(flags["--var"].partition("=")[0]) is not None, command
    if words[1] == "run":
        named = [
            word
            for word in words[2:]
            if word in {**bundle.resources("jobs"), **bundle.resources("pipelines")}
        ]
        assert len(named) == 1, f"{command}: names no job or pipeline of the bundle"


def _parse(group: click.Group, words: list[str]) -> None:
    """Lets click parse the words down to the last subcommand, and runs nothing."""
    current: click.Command = group
    context = click.Context(group, info_name=group.name)
    while isinstance(current, click.Group):
        if words and words[0].startswith("-"):
            words = words[1:]
            continue
        name, found, words = current.resolve_command(context, list(words))
        assert found is not None
        context = click.Context(found, info_name=name, parent=context, **found.context_settings)
        current = found
    if "--help" not in words:
        with context:
            current.parse_args(context, list(words))


@cache
def _orders() -> click.Group:
    from dlt_ingest.cli.main import orders

    return orders


@cache
def _dbt() -> click.Group:
    from dbt.cli.main import cli

    return cli


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_named_files_and_links_exist(page: Path) -> None:
    """Guards that a page points at what is there."""
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for name in _FILE.findall(text):
        known = "/" in name or (PROJECT_ROOT / name).exists()
        if known and not _MADE.match(name):
            assert (PROJECT_ROOT / name).exists() or (page.parent / name).exists(), (
                f"{page.name} names {name}"
            )


def test_each_alert_has_a_page() -> None:
    """Guards the operator at night: every alert has its page, and every page says what it means and what to do."""
    folder = PROJECT_ROOT / "docs" / "operations" / "alerts"
    pages = {
        page.stem: page.read_text(encoding="utf-8") for page in folder.glob("*.md") if page.stem != "README"
    }
    alerts = {name.replace("_", "-") for name in Bundle.load(PROJECT_ROOT, "prod").resources("alerts")}
    # Known to Postgres alone: the health check reports them.
    assert set(pages) == alerts | {"dead-letters"}
    for name, text in pages.items():
        for section in ("**Means**", "**Look**", "**Decide**", "**Quiet again**"):
            assert section in text, f"{name} lacks {section}"
        assert f"({name}.md)" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["decisions", "operations"])
def test_index_lists_every_page(folder: str) -> None:
    """Guards that no page is hidden."""
    index = (PROJECT_ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name for page in (PROJECT_ROOT / "docs" / folder).glob("*.md") if f"({page.name})" not in index
    ]
    assert missing in (["README.md"], [])


def test_erasure_page_has_the_statements_of_the_command() -> None:
    """Guards that the job on Databricks deletes what `orders erase` deletes."""
    page = (PROJECT_ROOT / "docs" / "operations" / "erase-customer.md").read_text(encoding="utf-8")
    deletions = [
        erasure_statements.bronze_deletion(),
        *erasure_statements.silver_deletions(),
        *erasure_statements.gold_deletions(),
    ]
    missing = [deletion.statement for deletion in deletions if f"{deletion.statement};" not in page]
    assert missing == []
    assert " ".join(erasure_statements.DBT_ARGUMENTS) in page
