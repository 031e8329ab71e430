"""Reads of files in SQL text, `read_files(...)`, `cloud_files(...)` and ``json.`/path` ``, by names that stand for them."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from local_workspace.dlt_runtime.files.reads import FORMATS, STAND_IN, FileRead
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql.edits import Edit, edited
from local_workspace.sql.tokens import Token, tokenize

_FUNCTIONS = frozenset({"READ_FILES", "CLOUD_FILES"})
_BROKERS = frozenset({"READ_KAFKA", "READ_KINESIS", "READ_PUBSUB", "READ_PULSAR"})
_DIRECT = FORMATS | {"delta"}


def replace_reads(text: str, known: MutableMapping[str, FileRead], where: str) -> str:
    """Put names in place of the reads of files in a query, and note what each stands for.

    Args:
        text: The query.
        known: Receives the reads by their names.
        where: For messages.

    Raises:
        PipelineCodeError: The arguments of a read cannot be understood.
        NotSupported: It is a stream of another system.
    """
    tokens = tokenize(text)
    cuts: list[Edit] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        following = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.kind == "word" and token.upper in _BROKERS and following == "(":
            raise NotSupported(f"{token.text}() ({where})", STAND_IN)
        if token.kind == "word" and token.upper in _FUNCTIONS and following == "(":
            end = _closing(tokens, at + 1, where)
            arguments = tokens[at + 2 : end]
            read = (
                _loader(arguments, where) if token.upper == "CLOUD_FILES" else _read_files(arguments, where)
            )
            # A stream of files by its older name streams by itself.
            prefix = (
                "STREAM "
                if token.upper == "CLOUD_FILES" and tokens[at - 1].upper not in {"STREAM", "("}
                else ""
            )
            known[read.name] = read
            cuts.append((token.start, tokens[end].end, prefix + read.name))
            at = end
        elif (
            token.kind == "word"
            and token.text.lower() in FORMATS | {"delta"}
            and following == "."
            and at + 2 < len(tokens)
        ):
            path = tokens[at + 2]
            if path.kind == "quoted" and "/" in path.value:
                read = FileRead(token.text.lower(), path.value)
                known[read.name] = read
                cuts.append((token.start, path.end, read.name))
                at += 2
        at += 1
    return edited(text, cuts)


def _closing(tokens: Sequence[Token], at: int, where: str) -> int:
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return place
    raise PipelineCodeError(f"A parenthesis of the SQL text in {where} is not closed")


def _read_files(tokens: Sequence[Token], where: str) -> FileRead:
    options: dict[str, str] = {}
    path = schema = ""
    for number, part in enumerate(_split(tokens)):
        if len(part) >= 3 and part[1].text == "=>":
            options[part[0].value.lower()] = _literal(part[2:], where)
        elif number == 0:
            path = _literal(part, where)
        else:
            raise PipelineCodeError(f"read_files in {where} needs options as name => value", got=part[0].text)
    schema = options.pop("schema", "")
    kind = options.pop("format", "")
    kind = kind or _format_of(path)
    if not path or not kind:
        raise PipelineCodeError(
            f"read_files in {where} needs a path and a format",
            got=f"path {path!r}, format {kind!r}",
            next_step="Write read_files('/Volumes/...', format => 'csv')",
        )
    # Its columns have types unless inferColumnTypes says otherwise.
    options.setdefault("infercolumntypes", options.pop("inferschema", "true"))
    if kind.lower() == "csv":
        options.setdefault("header", "true")
    return FileRead(kind.lower(), path, options, schema, loader=True)


def _format_of(path: str) -> str:
    """Give the format that the name of the files says, or nothing; of a folder, Databricks looks at what is in it."""
    name = path.rstrip("/").rpartition("/")[2].lower().removesuffix(".gz").removesuffix(".bz2")
    ending = name.rpartition(".")[2] if "." in name else ""
    return {"tsv": "csv", "txt": "text", "ndjson": "json", "jsonl": "json"}.get(
        ending, ending if ending in FORMATS else ""
    )


def _loader(tokens: Sequence[Token], where: str) -> FileRead:
    parts = _split(tokens)
    options: dict[str, str] = {}
    if len(parts) > 2:
        pairs = [_literal(piece, where) for piece in _split(parts[2][2:-1])]
        options = {key.lower(): value for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
    schema = options.pop("schema", "")
    return FileRead(
        _literal(parts[1], where).lower(), _literal(parts[0], where), options, schema, loader=True
    )


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _literal(tokens: Sequence[Token], where: str) -> str:
    if not all(token.kind in {"string", "number", "word"} or token.text in {"||", "-"} for token in tokens):
        raise NotSupported(
            f"An argument of read_files that is not a constant (in {where})",
            "Write it out, or insert it with ${name} and the configuration",
            got=" ".join(token.text for token in tokens)[:80],
        )
    return "".join(token.value for token in tokens if token.text != "||")
