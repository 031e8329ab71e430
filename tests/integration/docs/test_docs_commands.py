"""Every command of the documentation: run here page by page, run by another test, or marked as needing a workspace.

The pages stand on one clone with a workspace of its own and run one after another, each from top to bottom.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import groupby, pairwise

import click
import pytest
from docs_commands import COMMANDS_OF, NO_COMMANDS, PROJECT, STATEMENTS, Fence, fences, without_comment
from readers_clone import Outcome, ReadersClone
from run_elsewhere import RUN_ELSEWHERE, is_run

from orders.bundle_check import Bundle

FENCES = fences()
# Their sessions end with a stopped workspace, and with an empty one.
_LAST = ("README.md", "docs/operations/rotate-secrets.md")
_RUN_HERE = [fence for fence in FENCES if fence.commands and not fence.needs_workspace]
RUN_PAGES = sorted({fence.page for fence in _RUN_HERE}, key=lambda page: (page in _LAST, page))
NEEDING = [(fence, command) for fence in FENCES if fence.needs_workspace for command in fence.commands]
# Folders of the server that a page has in mind, and the ones here.
_FOLDERS = {"/srv/orders": "{clone}", "/var/lib/node_exporter": "{clone}/target"}
# Exit code 1 is an answer of these, not a failure: what they print when they end with 0, and with 1.
_VERDICTS = {
    "orders check --strict": (r"\AChecking \.\.\.\n(?!.*^(warn|FAIL) )", r"^(warn|FAIL) "),
    "orders governance check": (r"matches its description", r"Next: orders governance apply"),
}


def test_every_fence_says_what_it_is() -> None:
    """Guards the collection: a fence with commands under another name would be looked at by nobody."""
    assert len(_RUN_HERE) > 25
    assert len(NEEDING) > 8
    unknown = [
        f"{f} is ```{f.kind}" for f in FENCES if f.kind not in {*COMMANDS_OF, *STATEMENTS, *NO_COMMANDS}
    ]
    assert unknown == [], f"known are {sorted({*COMMANDS_OF, *STATEMENTS, *NO_COMMANDS})}"
    assert [str(f) for f in FENCES if f.kind in COMMANDS_OF and not f.commands] == [], (
        "commands begin with `$ `"
    )


def test_a_workspace_is_asked_for_in_words() -> None:
    """Guards the reader without a Databricks workspace: the mark is visible, and right above the commands."""
    for fence in FENCES:
        says_so = "needs a workspace" in fence.above.lower()
        assert says_so == fence.needs_workspace, f"{fence}: ```{fence.kind} below {fence.above!r}"


@pytest.mark.parametrize("command", RUN_ELSEWHERE)
def test_who_else_runs_a_command(command: str) -> None:
    """Guards the list of exceptions: each is in a page, and the named test, fixture or CI step runs it."""
    assert command in {without_comment(c) for fence in _RUN_HERE for c in fence.commands}
    assert is_run(command), f"{RUN_ELSEWHERE[command]} does not run `{command}`"


def test_the_readme_shows_what_a_run_prints(clone: ReadersClone) -> None:
    """Guards the first thing that a reader sees: each line of the README's example is one of the program's own."""
    from orders.cli.project import Project
    from orders.cli.summary import collect, print_summary

    [shown] = [fence for fence in FENCES if fence.page == "README.md" and fence.kind == "text"]
    with clone.terminal() as printed:
        project = Project.find()
        with project.queries() as client:
            print_summary(project, collect(project, client), {})
    for line in shown.text.splitlines():
        if line.strip() not in {"", "..."}:
            assert re.search(_shape(line), printed.getvalue(), re.MULTILINE), f"{line}\n{printed.getvalue()}"


def _shape(line: str) -> str:
    """A pattern for lines that differ in figures, widths and bars alone."""
    words = (re.escape(re.sub(r"[█-▏]+", "BAR", word)) for word in line.split())
    shapes = (re.sub(r"[\d,]+(\\\.\d+)?", r"[\\d,.]+", word) for word in words)
    return r"^\s*" + r"\s+".join(shapes).replace("BAR", r"\S*")


def test_the_monitoring_page_lists_what_is_measured(clone: ReadersClone) -> None:
    """Guards the tables of the page: they name every check and every metric, and none that does not exist."""
    page = (PROJECT / "docs/operations/monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    checks = json.loads(clone.orders(["check", "--format", "json"]).printed.partition("\n")[2])["checks"]
    metrics = re.findall(
        r"^# TYPE (\w+)", clone.orders(["check", "--format", "prometheus"]).printed, re.MULTILINE
    )
    assert set(rows) == {check["name"] for check in checks} | set(metrics)


def test_the_summary_says_where_to_look_next(clone: ReadersClone) -> None:
    """Guards what a run ends with: each command below "Look further" runs as it is printed."""
    from orders.cli.project import Project
    from orders.cli.summary import collect, print_summary

    with clone.terminal() as printed:
        project = Project.find()
        with project.queries() as client:
            print_summary(project, collect(project, client), {})
    _, found, rest = printed.getvalue().partition("Look further\n")
    assert found
    commands = [re.split(r"  +", line.strip())[0] for line in rest.splitlines() if line.startswith("  ")]
    assert len(commands) > 3
    for command, outcome in zip(commands, clone.shell(commands), strict=True):
        assert outcome.exit_code == 0, f"{command}\n{outcome.printed}"


# Of targets that others run (RUN_ELSEWHERE, CI), take many minutes or ask the network, only the recipe is checked here.
_TARGETS_OF_OTHERS = {"run", "test", "lint", "fmt", "venv", "clean", "test-unit", "docs-site", "mutants"}
_TARGETS_OF_MINUTES = {"bench", "coverage", "parity", "torture", "audit"}


def test_every_target_of_make_help(clone: ReadersClone) -> None:
    """Guards the list that a bare `make` prints: each target does what it says, and none is unknown to the tests."""
    # -o: the environment of the tests is the reader's; make must not install into it.
    make = "make -o .venv/.installed"
    assert "$$" not in clone.shell(["make help"])[0].printed, "what is pasted from the help must run"
    targets = re.findall(r"^  make ([a-z-]+) ", clone.shell(["make help"])[0].printed, re.MULTILINE)
    assert {"run", "docs", "dashboard", "test"} <= set(targets)
    here = [t for t in targets if t not in _TARGETS_OF_OTHERS | _TARGETS_OF_MINUTES]
    dry = [t for t in targets if t in _TARGETS_OF_OTHERS | _TARGETS_OF_MINUTES]
    commands = [f"{make} {t}" for t in here] + [f"{make} --dry-run {t}" for t in dry]
    for command, outcome in zip(commands, clone.shell(commands), strict=True):
        assert outcome.exit_code == 0, f"{command}\n{outcome.printed}"
        assert "deprecat" not in outcome.printed.lower(), outcome.printed
    assert (clone.folder / "target" / "dashboard" / "index.html").is_file()
    assert (clone.folder / "target" / "catalog.json").is_file()


_done: dict[str, Outcome] = {}


@pytest.mark.parametrize("page", RUN_PAGES)
def test_the_commands_of_a_page_run(clone: ReadersClone, page: str) -> None:
    """Guards the reader: each command ends as the page lets them expect."""
    for fence in _RUN_HERE:
        if fence.page != page:
            continue
        commands = [without_comment(c) for c in fence.commands if without_comment(c) not in RUN_ELSEWHERE]
        for command, outcome in zip(commands, _run(clone, commands), strict=True):
            _judge(f"{fence} {command}", command, outcome)


def _run(clone: ReadersClone, commands: list[str]) -> Iterator[Outcome]:
    """Run commands in order: those of `orders` in this process, all others between them in one shell.

    One that only looks answers the same on the next page, so it runs once.
    """
    for plain, group in groupby(commands, key=_is_plain):
        if not plain:
            yield from clone.shell([_here(command, clone) for command in group])
            continue
        for command in group:
            if command not in _done:
                _done[command] = clone.orders(shlex.split(command)[1:])
            yield _done[command]


def _is_plain(command: str) -> bool:
    """Whether it is a command of `orders` that a shell adds nothing to; up and down leave processes behind."""
    lasting = command in {"orders up", "orders down"}
    return command.startswith("orders ") and not lasting and not re.search(r"\$\(| [|<>&] ", command)


def _here(command: str, clone: ReadersClone) -> str:
    for folder, ours in _FOLDERS.items():
        command = command.replace(folder, ours.format(clone=clone.folder))
    return command


def _judge(place: str, command: str, outcome: Outcome) -> None:
    good, bad = _VERDICTS.get(command, (None, None))
    text = f"{place} ended with {outcome.exit_code}\n{outcome.printed}"
    assert "Traceback" not in outcome.printed, text
    if good is None or bad is None:
        assert outcome.exit_code == 0, text
        return
    assert outcome.exit_code in {0, 1}, text
    expected = bad if outcome.exit_code else good
    assert re.search(expected, outcome.printed, re.MULTILINE | re.DOTALL), text


@pytest.mark.parametrize(("fence", "command"), NEEDING, ids=str)
def test_a_marked_command_parses(fence: Fence, command: str) -> None:
    """Guards what cannot be run here: program, options, and the names of the bundle are ones that exist."""
    words = shlex.split(command.split(" < ", maxsplit=1)[0], comments=True)
    program = words[0]
    assert program in {"databricks", "dbt", "orders"}, f"{fence}: runs on a laptop, so mark it `console`"
    if program == "databricks":
        _check_databricks(words[1:], fence)
    elif program == "dbt":
        # dbt looks for the folder of profiles.yml while it parses.
        _parse(_dbt(), [*words[1:], "--profiles-dir", str(PROJECT / "profiles")])
    else:
        assert "--env" in words, f"{fence}: runs on a laptop, so mark it `console`"
        _parse(_orders(), words[1:])


def _check_databricks(words: list[str], fence: Fence) -> None:
    if words[:1] != ["bundle"]:
        return
    assert words[1] in {"deploy", "destroy", "run", "summary", "validate"}, fence
    flags = dict(pairwise(words))
    bundle = Bundle.load(PROJECT, flags.get("-t") or flags.get("--target"))
    if "--var" in flags:
        assert bundle.variable(flags["--var"].partition("=")[0]) is not None, fence
    if words[1] == "run":
        known = {**bundle.resources("jobs"), **bundle.resources("pipelines")}
        named = [word for word in words[2:] if word in known]
        assert len(named) == 1, f"{fence}: names no job or pipeline of the bundle"


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
    with context:
        current.parse_args(context, list(words))


@cache
def _orders() -> click.Group:
    from orders.cli.main import orders

    return orders


@cache
def _dbt() -> click.Group:
    from dbt.cli.main import cli

    return cli
