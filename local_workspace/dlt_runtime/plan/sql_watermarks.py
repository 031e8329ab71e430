"""Queries over streams as SQL text writes them: which tables they stream, and what their WATERMARK clauses say.

Grammar: Databricks' pages "WATERMARK clause" and "CREATE STREAMING TABLE".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from local_workspace.errors import NotSupported
from local_workspace.sql import pipeline_sql
from local_workspace.sql.edits import edited
from local_workspace.sql.tokens import Token, tokenize

_MARK = "__stream_"


@dataclass(frozen=True)
class Watermark:
    """What a `WATERMARK` clause says: the column of the event time, and the delay as Spark writes it."""

    column: str
    delay: str


@dataclass
class StreamingText:
    """A query without its WATERMARK clauses, its streams under names of their own.

    Attributes:
        streams: Name in the text -> the table that it streams.
        watermarks: Name in the text -> its watermark.
    """

    text: str
    streams: dict[str, str] = field(default_factory=dict)
    watermarks: dict[str, Watermark] = field(default_factory=dict)


def read(text: str) -> StreamingText:
    """Take the streams and the WATERMARK clauses out of a query.

    Raises:
        NotSupported: A WATERMARK clause has a form that is not served, or stands behind something else than a stream.
        PipelineCodeError: The query cannot be parsed.
    """
    bare, places = _without_watermarks(text)
    found = StreamingText(bare)

    def marked(reference: pipeline_sql.TableReference) -> str:
        if not reference.streaming:
            return bare[reference.start : reference.end]
        name = f"{_MARK}{reference.start}"
        found.streams[name] = reference.name
        # The clause stood right behind the table.
        for place, watermark in places.items():
            if reference.end <= place and not bare[reference.end : place].strip():
                found.watermarks[name] = watermark
        return name

    found.text = pipeline_sql.replace_tables(bare, "spark.sql", marked)
    if len(found.watermarks) < len(places):
        raise NotSupported(
            "WATERMARK behind something else than a stream",
            "Write it right behind the table: FROM STREAM(orders) WATERMARK at DELAY OF INTERVAL 10 MINUTES AS o",
        )
    return found


def _without_watermarks(text: str) -> tuple[str, dict[int, Watermark]]:
    """Cut `WATERMARK column DELAY OF INTERVAL ...` out of a text; give what each said by the place where it stood."""
    tokens = tokenize(text)
    cuts: list[tuple[int, int, Watermark]] = []
    for at, token in enumerate(tokens):
        if token.upper != "WATERMARK":
            continue
        column, end = _until_delay(tokens, at + 1)
        if not end:
            continue
        parts: list[str] = []
        while end < len(tokens) and (
            tokens[end].kind in {"number", "string"}
            or (parts and tokens[end].kind == "word" and parts[-1][:1].isdigit() and " " not in parts[-1])
        ):
            parts.append(tokens[end].value)
            end += 1
        if len(column) != 1 or not column[0].is_name or not parts:
            raise NotSupported(
                "This form of WATERMARK",
                "Write the name of a column and a constant: WATERMARK at DELAY OF INTERVAL 10 MINUTES; compute the column in"
                " a view before",
                got=text[token.start : token.start + 80],
            )
        cuts.append((token.start, tokens[end - 1].end, Watermark(column[0].value, " ".join(parts).lower())))
    places: dict[int, Watermark] = {}
    removed = 0
    for start, finish, watermark in cuts:
        places[start - removed] = watermark
        removed += finish - start
    return edited(text, [(start, finish, "") for start, finish, _ in cuts]), places


def _until_delay(tokens: Sequence[Token], at: int) -> tuple[Sequence[Token], int]:
    for end in range(at, len(tokens) - 2):
        words = [token.upper for token in tokens[end : end + 3]]
        if words == ["DELAY", "OF", "INTERVAL"]:
            return tokens[at:end], end + 3
    return (), 0
