"""Reading AI/BI dashboard files (`*.lvdash.json`) into the few facts that drawing them needs.

The format is Databricks' serialized dashboard (documentation: "Lakeview API", "Dashboards as code in bundles"). Only what
our dashboards use is read; anything else is refused by name, so that the page never silently shows less than Databricks
would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt_ingest.errors import ConfigurationError

CHARTS = ("bar", "line", "area", "heatmap", "pie", "scatter")
FILTERS = ("filter-date-range-picker", "filter-single-select")
SUPPORTED = ("counter", "table", "text", *CHARTS, *FILTERS)
AGGREGATES = ("SUM", "AVG", "MIN", "MAX", "COUNT")
_COLUMN = re.compile(r"^`([^`]+)`$")
_AGGREGATE = re.compile(rf"^({'|'.join(AGGREGATES)})\(`([^`]+)`\)$", re.IGNORECASE)
_RATIO = re.compile(
    rf"^try_divide\(({'|'.join(AGGREGATES)})\(`([^`]+)`\),\s*({'|'.join(AGGREGATES)})\(`([^`]+)`\)\)$",
    re.IGNORECASE,
)
_ASSOCIATIVITY = re.compile(r"^COUNT_IF\(`associative_filter_predicate_group`\)$")


@dataclass(frozen=True)
class Field:
    """One value of a widget: a column of its dataset, one aggregate of a column, or the ratio of two aggregates.

    Attributes:
        name: The name that encodings refer to.
        column: The dataset's column.
        aggregate: SUM, AVG, MIN, MAX or COUNT, else None.
        divisor: For a ratio, the aggregate below the line; else None.
    """

    name: str
    column: str
    aggregate: str | None
    divisor: Field | None = None


@dataclass(frozen=True)
class Widget:
    """One box of the dashboard.

    Attributes:
        name: Unique in its dashboard.
        kind: One of `SUPPORTED`.
        title: Heading shown above it; empty for none.
        description: Line below the heading; empty for none.
        dataset: Name of the dataset it draws; None for text and filters over several datasets.
        fields: Its values by name.
        encodings: Which field is x, y, colour and so on, as in the file.
        mark: Layout of bars (stack or group), as in the file.
        position: Column, row, width and height on a grid of six columns.
        text: Markdown of a text widget.
        filters: For a filter, the column to filter by dataset name.
    """

    name: str
    kind: str
    title: str
    description: str
    dataset: str | None
    fields: Mapping[str, Field]
    encodings: Mapping[str, Any]
    mark: Mapping[str, Any]
    position: Mapping[str, int]
    text: str
    filters: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """One tab of a dashboard."""

    name: str
    title: str
    widgets: tuple[Widget, ...]


@dataclass(frozen=True)
class Dashboard:
    """One dashboard file.

    Attributes:
        name: File name without `.lvdash.json`.
        datasets: SQL text by dataset name; table names are unqualified, catalog and schema come with the deployment.
        pages: Its tabs, in order.
    """

    name: str
    datasets: Mapping[str, str]
    pages: tuple[Page, ...]

    @classmethod
    def read(cls, path: Path) -> Dashboard:
        """Read one file.

        Raises:
            ConfigurationError: If it is not JSON, or uses a widget, field expression or dataset that cannot be drawn here.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise _fault(path, "is not a readable dashboard", got=str(error)) from None
        datasets = {
            d["name"]: "".join(d.get("queryLines") or [d.get("query", "")]) for d in document["datasets"]
        }
        pages = tuple(
            Page(
                name=page["name"],
                title=page.get("displayName", page["name"]),
                widgets=tuple(_widget(path, item, datasets) for item in page["layout"]),
            )
            for page in document["pages"]
        )
        return cls(name=path.name.removesuffix(".lvdash.json"), datasets=datasets, pages=pages)


def _widget(path: Path, item: Mapping[str, Any], datasets: Mapping[str, str]) -> Widget:
    widget, position = item["widget"], item["position"]
    name = widget["name"]
    lines = widget.get("multilineTextboxSpec", {}).get("lines")
    if lines is not None:
        return Widget(name, "text", "", "", None, {}, {}, {}, position, "".join(lines), {})
    spec = widget["spec"]
    kind = spec["widgetType"]
    if kind not in SUPPORTED:
        raise _fault(
            path,
            f"widget {name} has a type that this page cannot draw",
            got=kind,
            allowed=", ".join(SUPPORTED),
        )
    queries = widget.get("queries", [])
    for query in queries:
        if query["query"]["datasetName"] not in datasets:
            raise _fault(
                path,
                f"widget {name} names a dataset that is not there",
                got=query["query"]["datasetName"],
                allowed=", ".join(datasets),
            )
    frame = spec.get("frame", {})
    filters: dict[str, str] = {}
    fields: dict[str, Field] = {}
    for query in queries:
        read = [
            _field(path, name, f)
            for f in query["query"]["fields"]
            if not _ASSOCIATIVITY.match(f["expression"])
        ]
        if kind in FILTERS:
            filters[query["query"]["datasetName"]] = read[0].column
        fields.update({f.name: f for f in read})
    return Widget(
        name=name,
        kind=kind,
        title=frame.get("title", "") if frame.get("showTitle") else "",
        description=frame.get("description", "") if frame.get("showDescription") else "",
        dataset=queries[0]["query"]["datasetName"] if queries and kind not in FILTERS else None,
        fields=fields,
        encodings=spec.get("encodings", {}),
        mark=spec.get("mark", {}),
        position=position,
        text="",
        filters=filters,
    )


def _field(path: Path, widget: str, field: Mapping[str, str]) -> Field:
    expression = field["expression"].strip()
    if match := _COLUMN.match(expression):
        return Field(field["name"], match[1], None)
    if match := _AGGREGATE.match(expression):
        return Field(field["name"], match[2], match[1].upper())
    if match := _RATIO.match(expression):
        return Field(field["name"], match[2], match[1].upper(), Field("divisor", match[4], match[3].upper()))
    raise _fault(
        path,
        f"widget {widget} computes a field in a way that this page cannot",
        got=expression,
        allowed=f"a column in backticks, one of {', '.join(AGGREGATES)} of it, or try_divide of two of these",
    )


def _fault(path: Path, what: str, *, got: str, allowed: str | None = None) -> ConfigurationError:
    return ConfigurationError(
        f"{path.name}: {what}",
        got=got,
        allowed=allowed,
        consequence="the dashboard was not drawn",
        next_step="mend the file, or the widget in Databricks, and export it again",
    )
