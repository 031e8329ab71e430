"""Notebooks as source files of a pipeline: the two forms in which Databricks keeps them, cut into cells.

A `.py` notebook begins with `# Databricks notebook source`, keeps its cells apart by `# COMMAND ----------` and its
magic commands as comments (`# MAGIC %sql`); an `.ipynb` notebook is Jupyter's JSON. A magic command is honoured or
refused, never skipped.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from local_workspace.errors import NotSupported, PipelineCodeError

_HEAD = "# Databricks notebook source"
_CUT = re.compile(r"^# COMMAND -+[ \t]*$")
_MAGIC = re.compile(r"^# (?:MAGIC|DBTITLE)[ ]?(.*)$")
#: Magic commands whose text is for readers only.
_PROSE = frozenset({"md", "md-sandbox"})


@dataclass(frozen=True)
class Cell:
    """A piece of a source file.

    Attributes:
        kind: `python`, `sql`, `run` (then the text is the path of another notebook) or `pip` (its arguments).
        text: Its content, without the magic command.
        line: The line of the file, or of the cell, on which the text begins.
        place: What messages call the file: of a Jupyter notebook the cell belongs to it.
    """

    kind: str
    text: str
    line: int
    place: str


def cells_of(file: Path, shown: str) -> list[Cell]:
    """Cut a Python file or a notebook into its cells; a plain Python file is one.

    Raises:
        PipelineCodeError: The file cannot be read.
        NotSupported: A cell has a magic command that the runtime does not honour.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineCodeError(f"{shown} cannot be read", got=str(error)) from error
    if file.suffix == ".ipynb":
        return _jupyter(text, shown)
    lines = text.splitlines()
    if not lines or lines[0].strip() != _HEAD:
        return [Cell("python", text, 1, shown)]
    found: list[Cell] = []
    begin = 1
    for at in [*(i for i, line in enumerate(lines) if _CUT.match(line)), len(lines)]:
        found += _source_cell(lines[begin:at], begin + 1, shown)
        begin = at + 1
    return found


def _source_cell(lines: list[str], first: int, shown: str) -> list[Cell]:
    magic = [
        (i, match[1])
        for i, line in enumerate(lines)
        if (match := _MAGIC.match(line)) and "DBTITLE" not in line[:9]
    ]
    found: list[Cell] = []
    if magic and not any(line.strip() and not line.startswith("#") for line in lines):
        return _magic_cell([text for _, text in magic], first + magic[0][0], shown)
    # A cell of Python may have single magic lines, such as `# MAGIC %pip`, among its own.
    for at, text in magic:
        if text.strip():
            found += _magic_cell([text], first + at, shown)
    return [*found, Cell("python", "\n".join(lines), first, shown)]


def _jupyter(text: str, shown: str) -> list[Cell]:
    try:
        cells = json.loads(text)["cells"]
        sources = [(cell.get("cell_type"), "".join(cell.get("source", ()))) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PipelineCodeError(f"{shown} is not a Jupyter notebook", got=str(error)) from error
    found: list[Cell] = []
    for number, (kind, source) in enumerate(sources, start=1):
        if kind != "code" or not source.strip():
            continue
        place = f"{shown}, cell {number}"
        lines = source.splitlines()
        body = [(i, line) for i, line in enumerate(lines) if line.strip()]
        if body[0][1].lstrip().startswith("%%") or (
            body[0][1].lstrip().startswith("%")
            and not re.match(r"\s*%(pip|run|restart_python)\b", body[0][1])
        ):
            rest = [body[0][1].lstrip().removeprefix("%").removeprefix("%"), *lines[body[0][0] + 1 :]]
            found += _magic_cell(["%" + rest[0], *rest[1:]], 1, place)
            continue
        for i, line in body:
            if re.match(r"%\w", line):
                found += _magic_cell([line], i + 1, place)
        python = ["" if re.match(r"%\w", line) else line for line in lines]
        found.append(Cell("python", "\n".join(python), 1, place))
    return found


def _magic_cell(lines: list[str], first: int, place: str) -> list[Cell]:
    head = next((line for line in lines if line.strip()), "")
    match = re.match(r"\s*%([\w-]+)[ \t]*(.*)$", head)
    if match is None:
        raise PipelineCodeError(f"{place}:{first} has a magic cell without a command", got=head[:60])
    command, argument = match[1].lower(), match[2]
    text = "\n".join([argument, *lines[lines.index(head) + 1 :]])
    if command in _PROSE or command == "restart_python":
        return []
    if command in {"sql", "python"}:
        return [Cell(command, text, first, place)]
    if command == "run":
        return [Cell("run", argument.strip().strip("\"'"), first, place)]
    if command == "pip":
        return [Cell("pip", text.strip(), first, place)]
    raise NotSupported(
        f"%{command} at {place}:{first}",
        "Write the cell in Python or SQL; shell and Scala code belong outside a pipeline",
    )


def check_installed(arguments: str, folder: Path, where: str) -> None:
    """Make sure that what `%pip install` names is there: the runtime installs nothing by itself.

    Raises:
        NotSupported: A package is missing or of another version, or the command is not an install.
    """
    wanted: list[str] = []
    for at, line in enumerate(arguments.replace("\\\n", " ").splitlines()):
        command = line.strip().removeprefix("%pip").strip()
        if not command or command.startswith(("#", "dbutils.library.restartPython")):
            continue
        if at and not line.strip().startswith("%pip"):
            raise NotSupported(
                f"Code below %pip in one cell, at {where}", "Give it a cell of its own", got=command[:60]
            )
        wanted += _named(command, folder, where)
    missing = [text for text in wanted if text and not _is_installed(text)]
    if missing:
        raise NotSupported(
            f"%pip install of a package that is not installed here, at {where}",
            f"Install it, then run the update again: python -m pip install {' '.join(missing)}",
            got=", ".join(missing),
        )


def _named(command: str, folder: Path, where: str) -> list[str]:
    words = command.partition(" #")[0].split()
    if words[:1] != ["install"]:
        raise NotSupported(f"%pip {command} at {where}", "Do this in a shell before the update")
    wanted: list[str] = []
    words = words[1:]
    while words:
        word = words.pop(0)
        if word in {"-r", "--requirement"} and words:
            file = folder / words.pop(0)
            if not file.is_file():
                raise PipelineCodeError(f"%pip at {where} names a file that does not exist", got=str(file))
            wanted += [line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        elif not word.startswith("-"):
            wanted.append(word.strip("\"'"))
    return wanted


def _is_installed(text: str) -> bool:
    try:
        requirement = Requirement(text)
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
        return False
