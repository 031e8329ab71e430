"""AI/BI dashboard files read into the few facts that drawing them needs.

What the page cannot draw is refused by its place in the file (see `file_format`): a widget type, a setting, a computed
field. The page never silently shows less than Databricks would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from local_workspace.dashboards.file_format import (
    ChartSpec,
    DashboardFile,
    DataWidget,
    FilterSpec,
    Placed,
    QueryField,
    TextWidget,
)
from local_workspace.errors import ConfigurationError

SUFFIX = ".lvdash.json"
AGGREGATES = ("SUM", "AVG", "MIN", "MAX", "COUNT")
_NAMES = "|".join(AGGREGATES)
_COLUMN = re.compile(r"^`([^`]+)`$")
_AGGREGATE = re.compile(rf"^({_NAMES})\(`([^`]+)`\)$", re.IGNORECASE)
_RATIO = re.compile(rf"^try_divide\(({_NAMES})\(`([^`]+)`\),\s*({_NAMES})\(`([^`]+)`\)\)$", re.IGNORECASE)
# The editor adds this field to every filter query; it narrows the filter's own list of values and draws nothing.
_ASSOCIATIVITY = "COUNT_IF(`associative_filter_predicate_group`)"


@dataclass(frozen=True)
class Field:
    """One value of a widget: a column of its dataset, one aggregate of a column, or the ratio of two aggregates.

    Attributes:
        name: The name that encodings refer to.
        column: The dataset's column.
        aggregate: SUM, AVG, MIN, MAX or COUNT, otherwise None.
        divisor: For a ratio, the aggregate below the line; otherwise None.
    """

    name: str
    column: str
    aggregate: str | None
    divisor: Field | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The dataset's columns that it needs."""
        return (self.column, *(self.divisor.columns if self.divisor else ()))


@dataclass(frozen=True)
class Widget:
    """One box of the dashboard.

    Attributes:
        name: Unique in its dashboard.
        kind: Widget type as in the file, or `text`.
        position: Column, row, width and height on a grid of six columns.
        title: Heading shown above it; empty for none.
        description: Line below the heading; empty for none.
        dataset: Name of the dataset it draws; None for text and filters.
        fields: Its values by name.
        encodings: Which field is x, y, colour and so on, as in the file.
        mark: Layout and colours of series, as in the file.
        text: Markdown of a text widget.
        filters: For a filter, the column to filter by dataset name.
    """

    name: str
    kind: str
    position: Mapping[str, int]
    title: str = ""
    description: str = ""
    dataset: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    encodings: Mapping[str, Any] = field(default_factory=dict)
    mark: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)


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
            ConfigurationError: If it is not JSON, or uses a widget, setting, field or dataset that cannot be drawn here.
        """
        try:
            document = DashboardFile.model_validate_json(path.read_bytes())
        except OSError as error:
            raise _fault(path, "cannot be read", got=str(error)) from None
        except ValidationError as error:
            raise _refusal(path, error) from None
        datasets = {dataset.name: "".join(dataset.queryLines) for dataset in document.datasets}
        pages = tuple(
            Page(
                page.name,
                page.displayName or page.name,
                tuple(_widget(path, p, datasets) for p in page.layout),
            )
            for page in document.pages
        )
        return cls(name=path.name.removesuffix(SUFFIX), datasets=datasets, pages=pages)


def _widget(path: Path, placed: Placed, datasets: Mapping[str, str]) -> Widget:
    widget, position = placed.widget, placed.position.model_dump()
    if isinstance(widget, TextWidget):
        return Widget(widget.name, "text", position, text="".join(widget.multilineTextboxSpec.lines))
    for named in widget.queries:
        if named.query.datasetName not in datasets:
            raise _fault(
                path,
                f"widget {widget.name} names a dataset that does not exist",
                got=named.query.datasetName,
                allowed=", ".join(datasets),
            )
    frame = widget.spec.frame
    common = Widget(
        widget.name,
        widget.spec.widgetType,
        position,
        title=frame.title if frame.showTitle else "",
        description=frame.description if frame.showDescription else "",
        encodings=widget.spec.encodings.model_dump(exclude_none=True),
    )
    if isinstance(widget.spec, FilterSpec):
        return replace(common, filters=_filters(path, widget))
    query = widget.queries[0].query
    fields = [_field(path, widget.name, f) for f in query.fields]
    return replace(
        common,
        dataset=query.datasetName,
        fields={f.name: f for f in fields},
        mark=widget.spec.mark.model_dump() if isinstance(widget.spec, ChartSpec) else {},
    )


def _filters(path: Path, widget: DataWidget) -> dict[str, str]:
    filters = {}
    for named in widget.queries:
        columns = [
            _field(path, widget.name, f) for f in named.query.fields if f.expression.strip() != _ASSOCIATIVITY
        ]
        if len(columns) != 1 or columns[0].aggregate:
            raise _fault(
                path,
                f"filter {widget.name} does not filter one column of {named.query.datasetName}",
                got=", ".join(f.expression for f in named.query.fields),
                allowed="one column in backticks for each dataset",
            )
        filters[named.query.datasetName] = columns[0].column
    return filters


def _field(path: Path, widget: str, query_field: QueryField) -> Field:
    name, expression = query_field.name, query_field.expression.strip()
    if match := _COLUMN.match(expression):
        return Field(name, match[1], None)
    if match := _AGGREGATE.match(expression):
        return Field(name, match[2], match[1].upper())
    if match := _RATIO.match(expression):
        return Field(name, match[2], match[1].upper(), Field("divisor", match[4], match[3].upper()))
    raise _fault(
        path,
        f"widget {widget} computes a field in a way that this page cannot",
        got=expression,
        allowed=f"a column in backticks, one of {', '.join(AGGREGATES)} of it, or try_divide of two of these",
    )


def _refusal(path: Path, error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return _fault(path, "is not JSON", got=first["msg"])
    place = ".".join(str(step) for step in first["loc"] if step not in ("data", "text"))
    return _fault(
        path,
        f"{_name_of_widget(path, first['loc'])}{place}: {first['msg']}",
        got=json.dumps(first["input"], default=str)[:200],
    )


def _name_of_widget(path: Path, place: tuple[int | str, ...]) -> str:
    """Return the name of the widget that a place in the file is in, because nobody counts widgets."""
    try:
        part = json.loads(path.read_bytes())
        for step in place[: place.index("widget") + 1]:
            part = part[step]
        return f"widget {part['name']}, "
    except (ValueError, LookupError, TypeError):
        return ""


def _fault(path: Path, what: str, *, got: str, allowed: str | None = None) -> ConfigurationError:
    return ConfigurationError(
        f"{path.name}: {what}",
        got=got,
        allowed=allowed,
        consequence="The dashboard was not drawn",
        next_step="Fix the file, or the widget in Databricks, and export it again",
    )
