"""SQL source files of a pipeline: what `CREATE OR REFRESH ...`, `CREATE FLOW` and `APPLY CHANGES INTO` declare.

Grammar: Databricks' documentation, pages "Pipeline SQL language reference" and those that it links to; `LIVE` tables
are the older spelling of the same. A statement only registers; the text of its query reaches the engine as its author
wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from local_workspace.dlt_runtime.declare.change_feeds import checked, refuse_arguments
from local_workspace.dlt_runtime.declare.registry import (
    CdcSettings,
    DatasetKind,
    Expectation,
    ExpectationAction,
    Flow,
    Output,
    Registry,
    SourceLocation,
)
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql.tokens import Token, tokenize

_CELL = re.compile(r"^[ \t]*--[ \t]*COMMAND[ \t]*-+[ \t]*$", re.MULTILINE)
_MAGIC = re.compile(r"^[ \t]*--[ \t]*MAGIC[ \t]+%(\w+)", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_DROP: ExpectationAction = "drop"
_FAIL: ExpectationAction = "fail"
_WARN: ExpectationAction = "warn"


def declare(
    text: str, file: str, registry: Registry, configuration: Mapping[str, str], *, line: int = 1
) -> list[str]:
    """Register what the statements of a SQL file declare.

    Args:
        text: The file, or a SQL cell of a notebook.
        file: Its name, for messages.
        registry: Where the declarations go.
        configuration: Values of `${name}`; a `SET` statement adds to it for the statements below.
        line: The line of the file on which the text begins.

    Returns:
        Notes on statements that have no effect here.

    Raises:
        PipelineCodeError: A statement is none that a pipeline takes.
        NotSupported: It asks for something the runtime does not do.
    """
    values, notes = dict(configuration), []
    for part, start in _statements(text):
        where = SourceLocation(file, line + text.count("\n", 0, start))
        statement = _Statement(_substituted(part, values, where), where, registry)
        if statement.keyword("SET"):
            values.update([statement.setting()])
        elif statement.peek("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "LIST", "EXPLAIN"):
            notes.append(f"{where}: a query that feeds no table does not run: {part.split(None, 1)[0]} ...")
        else:
            statement.declare()
    return notes


def _statements(text: str) -> list[tuple[str, int]]:
    """Cut a text at semicolons and cell marks; give each statement with its place, comments before it left out."""
    for match in _MAGIC.finditer(text):
        if match[1] not in {"md", "sql"}:
            raise NotSupported(
                f"%{match[1]} in a SQL notebook",
                "Move it to a Python notebook of the pipeline",
                got=match[0].strip(),
            )
    cuts = [(match.start(), match.end()) for match in _CELL.finditer(text)]
    tokens = tokenize(text)
    cuts += [(token.start, token.end) for token in tokens if token.text == ";"]
    found: list[tuple[str, int]] = []
    begin = 0
    for cut, after in [*sorted(cuts), (len(text), len(text))]:
        inside = [token for token in tokens if begin <= token.start and token.end <= cut]
        if inside:
            found.append((text[inside[0].start : inside[-1].end], inside[0].start))
        begin = after
    return found


def _substituted(text: str, values: Mapping[str, str], where: SourceLocation) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise PipelineCodeError(
                f"{where} uses ${{{match[1]}}}, which has no value",
                allowed=", ".join(values) or "no value is set",
                next_step=f"Set it: --conf {match[1]}=VALUE, or the configuration of the pipeline",
            )
        return values[match[1]]

    return _VARIABLE.sub(value, text)


@dataclass
class _Clauses:
    """What stands between a table's name and its query."""

    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    schema: str | None = None
    rules: list[Expectation] = field(default_factory=list)


class _Statement:
    """One statement, read from left to right."""

    def __init__(self, text: str, where: SourceLocation, registry: Registry) -> None:
        self.text, self.where, self.registry = text, where, registry
        self.tokens: Sequence[Token] = tokenize(text)
        self.at = 0

    # --- reading

    def peek(self, *words: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].upper in words

    def keyword(self, *words: str) -> bool:
        """Take a run of keywords if it stands here."""
        ahead = self.tokens[self.at : self.at + len(words)]
        if [t.upper for t in ahead] != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        if not self.keyword(*words):
            raise self.wrong(" ".join(words))

    def wrong(self, allowed: str) -> PipelineCodeError:
        found = self.tokens[self.at].text if self.at < len(self.tokens) else "the end of the statement"
        return PipelineCodeError(
            f"The statement at {self.where} is not supported in a pipeline",
            got=f"{found} in {self.text[:60]!r}",
            allowed=allowed,
            consequence="No dataset was refreshed",
        )

    def take(self) -> Token:
        if self.at >= len(self.tokens):
            raise self.wrong("more")
        self.at += 1
        return self.tokens[self.at - 1]

    def name(self) -> str:
        """Take a name of one to three levels."""
        first = self.take()
        if not first.is_name:
            self.at -= 1
            raise self.wrong("a name")
        end = first.end
        while self.keyword("."):
            end = self.take().end
        return self.text[first.start : end]

    def string(self) -> str:
        token = self.take()
        if token.kind != "string":
            self.at -= 1
            raise self.wrong("a text in quotes")
        return token.value

    def group(self) -> str:
        """Take the content of parentheses, and return it without them."""
        self.expect("(")
        start, depth = self.tokens[self.at - 1].end, 1
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        return self.text[start : self.tokens[self.at - 1].start]

    def rest(self) -> str:
        """Take all that is left, and give it as written."""
        if self.at >= len(self.tokens):
            raise self.wrong("a query")
        start = self.tokens[self.at].start
        self.at = len(self.tokens)
        return self.text[start:]

    def until(self, *stops: tuple[str, ...]) -> str:
        """Take the text of an expression up to one of the given runs of keywords, or the end."""
        start, depth = self.at, 0
        while self.at < len(self.tokens):
            ahead = [t.upper for t in self.tokens[self.at : self.at + 3]]
            if depth == 0 and any(tuple(ahead[: len(stop)]) == stop for stop in stops):
                break
            depth += {"(": 1, ")": -1}.get(self.tokens[self.at].text, 0)
            self.at += 1
        if self.at == start:
            raise self.wrong("an expression")
        return self.text[self.tokens[start].start : self.tokens[self.at - 1].end]

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self.wrong("the end of the statement")

    # --- statements

    def setting(self) -> tuple[str, str]:
        text = self.rest()
        key, equals, value = text.partition("=")
        if not equals:
            raise self.wrong("SET key = value")
        tokens = tokenize(value)
        one = tokens[0].value if len(tokens) == 1 else value.strip()
        return key.strip().strip("`"), one

    def declare(self) -> None:
        if self.keyword("APPLY", "CHANGES", "INTO") or self.keyword("AUTO", "CDC", "INTO"):
            self.changes(flow=None, once=False)
            return
        if self.peek("USE"):
            if self.registry.use(self.text):
                return
            raise NotSupported(
                f"This form of USE at {self.where}",
                "Write USE CATALOG name or USE SCHEMA name, with the name itself",
                got=self.text[:60],
            )
        self.expect("CREATE")
        if self.keyword("FLOW"):
            self.flow()
            return
        _ = self.keyword("OR", "REFRESH") or self.keyword("OR", "REPLACE")
        private = False
        while word := next((w for w in ("PRIVATE", "TEMPORARY", "TEMP") if self.keyword(w)), None):
            private = private or bool(word)
        self.dataset(private=private)

    def dataset(self, *, private: bool) -> None:
        streaming = self.keyword("STREAMING")
        live = self.keyword("LIVE")
        kind: DatasetKind
        if self.keyword("MATERIALIZED", "VIEW"):
            kind = "MATERIALIZED_VIEW"
        elif self.keyword("VIEW"):
            kind = "VIEW"
        elif self.keyword("TABLE"):
            # `CREATE LIVE TABLE` has always been a materialized view.
            kind = "STREAMING_TABLE" if streaming else "MATERIALIZED_VIEW"
        else:
            raise self.wrong("STREAMING TABLE, MATERIALIZED VIEW, TEMPORARY VIEW or (older) LIVE TABLE")
        if kind == "VIEW" and not (private or live or streaming):
            raise NotSupported(
                f"CREATE VIEW at {self.where}, a view in the catalog made by a pipeline",
                "Write CREATE TEMPORARY VIEW for a view inside the pipeline, or CREATE MATERIALIZED VIEW",
            )
        _ = self.keyword("IF", "NOT", "EXISTS")
        name = self.name()
        clauses = self.clauses()
        output = Output(
            name=name,
            kind=kind,
            location=self.where,
            comment=clauses.comment,
            table_properties=clauses.properties,
            partition_cols=clauses.partition_by,
            cluster_by=clauses.cluster_by,
            schema=clauses.schema,
            temporary=private and kind != "VIEW",
            expectations=tuple(clauses.rules),
        )
        if self.keyword("FLOW"):
            _ = self.keyword("AUTO", "CDC") or self.keyword("APPLY", "CHANGES")
            self.registry.add_output(output)
            self.changes(flow=None, once=False, target=name)
            return
        if self.at == len(self.tokens) and kind == "STREAMING_TABLE":
            self.registry.add_output(output)
            return
        self.expect("AS")
        self.registry.add_output(output)
        self.registry.add_flow(Flow(name, name, query(self.rest()), self.where))

    def clauses(self) -> _Clauses:
        found = _Clauses()
        if self.peek("("):
            self.columns(self.group(), found)
        while True:
            if self.keyword("COMMENT"):
                found.comment = self.string()
            elif self.keyword("TBLPROPERTIES"):
                found.properties = _properties(self.group())
            elif self.keyword("PARTITIONED", "BY"):
                found.partition_by = _names(self.group())
            elif self.keyword("CLUSTER", "BY"):
                found.cluster_by = () if self.keyword("AUTO") else _names(self.group())
            elif self.keyword("USING"):
                if self.take().upper != "DELTA":
                    raise NotSupported(f"USING at {self.where}", "Omit it: tables are Delta tables")
            elif self.peek("LOCATION", "WITH", "SCHEDULE", "TRIGGER", "DEFAULT"):
                raise NotSupported(
                    f"{self.take().text} of a dataset at {self.where}",
                    "Omit the clause: the workspace has its own folders, and an update runs when it is asked for",
                )
            else:
                return found

    def columns(self, text: str, found: _Clauses) -> None:
        """Read the list of columns, whose expectations are the pipeline's own."""
        kept: list[str] = []
        for part in _parts(text):
            tokens = tokenize(part)
            words = [t.upper for t in tokens]
            if words[:1] == ["CONSTRAINT"] and "EXPECT" in words[2:3]:
                inner = _Statement(part, self.where, self.registry)
                inner.at = 1
                name = inner.take().value
                inner.expect("EXPECT")
                condition = inner.group()
                action: ExpectationAction = _WARN
                if inner.keyword("ON", "VIOLATION"):
                    drops = inner.keyword("DROP", "ROW")
                    action = _DROP if drops else _FAIL
                    if not drops:
                        inner.expect("FAIL", "UPDATE")
                inner.end()
                found.rules.append(Expectation(name, condition.strip(), action))
            else:
                kept.append(part.strip())
        typed = [part for part in kept if len(tokenize(part)) > 1 and tokenize(part)[1].upper != "COMMENT"]
        if kept and len(typed) != len(kept):
            raise NotSupported(
                f"A list of columns without types at {self.where}",
                "Give each column its type, or omit the list and name the columns in the query",
                got=", ".join(kept)[:80],
            )
        found.schema = ", ".join(kept) or None

    def flow(self) -> None:
        name = self.name()
        if self.keyword("COMMENT"):
            self.string()
        self.expect("AS")
        if self.keyword("AUTO", "CDC") or self.keyword("APPLY", "CHANGES"):
            once = self.keyword("ONCE")
            self.expect("INTO")
            self.changes(flow=name, once=once)
            return
        self.expect("INSERT")
        once = self.keyword("ONCE")
        self.expect("INTO")
        once = self.keyword("ONCE") or once
        target = self.name()
        self.expect("BY", "NAME")
        self.registry.add_flow(Flow(name, target, query(self.rest()), self.where, once=once))

    def changes(self, *, flow: str | None, once: bool, target: str | None = None) -> None:
        refuse_arguments("AUTO CDC ONCE", self.where, once=once or None)
        target = target or self.name()
        self.expect("FROM")
        source = self.stream()
        stops: tuple[tuple[str, ...], ...] = (
            ("APPLY", "AS"), ("SEQUENCE", "BY"), ("COLUMNS",), ("STORED", "AS"), ("TRACK", "HISTORY"), ("IGNORE", "NULL"),
            ("WHERE",), ("KEYS",),
        )  # fmt: skip
        given: dict[str, Any] = {}
        while self.at < len(self.tokens):
            if self.keyword("KEYS"):
                given["keys"] = _names(self.group())
            elif self.keyword("IGNORE", "NULL", "UPDATES"):
                given["ignore_null_updates"] = True
            elif self.keyword("APPLY", "AS", "DELETE", "WHEN"):
                given["apply_as_deletes"] = self.until(*stops)
            elif self.keyword("APPLY", "AS", "TRUNCATE", "WHEN"):
                refuse_arguments("APPLY AS TRUNCATE WHEN in AUTO CDC", self.where, apply_as_truncates=True)
            elif self.keyword("WHERE"):
                refuse_arguments("WHERE in AUTO CDC", self.where, where=True)
            elif self.keyword("SEQUENCE", "BY"):
                given["sequence_by"] = self.until(*stops)
            elif self.keyword("COLUMNS"):
                self.column_list(given, "column_list", "except_column_list")
            elif self.keyword("STORED", "AS", "SCD", "TYPE"):
                given["scd_type"] = self.take().text
            elif self.keyword("TRACK", "HISTORY", "ON"):
                self.column_list(given, "track_history_column_list", "track_history_except_column_list")
            else:
                raise self.wrong(
                    "KEYS, IGNORE NULL UPDATES, SEQUENCE BY, APPLY AS DELETE WHEN, COLUMNS, STORED AS SCD TYPE, "
                    "TRACK HISTORY ON"
                )
        missing = [
            clause for clause, key in (("KEYS", "keys"), ("SEQUENCE BY", "sequence_by")) if key not in given
        ]
        if missing:
            raise self.wrong(" and ".join(missing))
        settings = checked(CdcSettings(source=source, **given), self.where)
        self.registry.add_flow(Flow(flow or target, target, None, self.where, cdc=settings))

    def stream(self) -> str:
        """Take `STREAM(name)`, `STREAM name` or a name."""
        if self.keyword("STREAM"):
            if self.peek("("):
                return self.group().strip()
            return self.name()
        return self.name()

    def column_list(self, given: dict[str, Any], only: str, all_but: str) -> None:
        if self.keyword("*"):
            self.expect("EXCEPT")
            given[all_but] = _names(self.group())
        elif self.peek("("):
            given[only] = _names(self.group())
        else:
            names = [self.take().value]
            while self.keyword(","):
                names.append(self.take().value)
            given[only] = tuple(names)


def query(text: str) -> Callable[[], Any]:
    """Make the function of a flow from the text of its query."""

    def run() -> Any:
        session = SparkSession.getActiveSession()
        assert session is not None  # noqa: S101  (the loader always activates one)
        return session.sql(text)

    return run


def _parts(text: str) -> list[str]:
    """Cut a list at its commas, those in parentheses and angle brackets left alone."""
    parts, depth, begin = [], 0, 0
    for token in tokenize(text):
        depth += {"(": 1, "<": 1, ")": -1, ">": -1}.get(token.text, 0)
        if token.text == "," and depth <= 0:
            parts.append(text[begin : token.start])
            begin = token.end
    return [part for part in [*parts, text[begin:]] if part.strip()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("`") for part in _parts(text))


def _properties(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _parts(text):
        key, _, value = part.partition("=")
        tokens = tokenize(value)
        key_tokens = tokenize(key)
        name = key_tokens[0].value if len(key_tokens) == 1 else key.strip()
        found[name] = tokens[0].value if len(tokens) == 1 else value.strip()
    return found
