"""The part of the AI/BI dashboard format (`*.lvdash.json`) that this project uses, as types that refuse anything else.

Databricks publishes no schema of serialized dashboards (documentation: "Use the Lakeview API to create and manage
dashboards"); the shapes are those that its editor writes. What is not named here is refused by its place in the file, so
that the local page never shows less, or something else, than Databricks would.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Chart = Literal["bar", "line", "area", "heatmap", "pie", "scatter"]
DateFilter = Literal["filter-date-range-picker"]
SelectFilter = Literal["filter-single-select"]


class Part(BaseModel):
    """A JSON object whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Position(Part):
    """Place of a widget on the grid of six columns."""

    x: int = Field(ge=0, le=5)
    y: int = Field(ge=0)
    width: int = Field(ge=1, le=6)
    height: int = Field(ge=1)


class QueryField(Part):
    """One value that a widget asks of its dataset."""

    name: str
    expression: str


class DatasetQuery(Part):
    """What a widget asks of one dataset."""

    datasetName: str  # noqa: N815  # the names of this module's fields are the format's
    fields: list[QueryField]
    disaggregated: bool = False


class NamedQuery(Part):
    """A query of a widget, by the name that encodings refer to."""

    name: str
    query: DatasetQuery


class DecimalPlaces(Part):
    """How many digits stand behind the point."""

    type: Literal["max", "exact"]
    places: int = Field(ge=0, le=10)


class NumberFormat(Part):
    """How a number is written."""

    type: Literal["number-plain", "number-currency", "number-percent"]
    currencyCode: str = "USD"  # noqa: N815
    abbreviation: Literal["none", "compact"] = "none"
    decimalPlaces: DecimalPlaces | None = None  # noqa: N815


class Mapping(Part):
    """The colour of one value."""

    value: str
    color: str = Field(pattern=r"^#[0-9a-f]{6}$")


class Sort(Part):
    """Order of a categorical axis."""

    by: Literal["natural-order", "x", "y", "x-reversed", "y-reversed", "custom-order"]
    orderedValues: list[str] = []  # noqa: N815


class Scale(Part):
    """What kind of values an axis or a colour shows."""

    type: Literal["quantitative", "categorical", "temporal"]
    sort: Sort | None = None
    mappings: list[Mapping] = []


class Axis(Part):
    """Decoration of an axis."""

    hideTitle: bool = False  # noqa: N815


class FieldRef(Part):
    """A value that is drawn, by the name of its query field."""

    fieldName: str  # noqa: N815
    displayName: str = ""  # noqa: N815


class Channel(FieldRef):
    """One axis, colour or angle."""

    scale: Scale
    axis: Axis = Axis()
    format: NumberFormat | None = None


class SeriesChannel(Part):
    """An axis that several values share, each a series of its own."""

    scale: Scale
    fields: list[FieldRef] = Field(min_length=1)
    displayName: str = ""  # noqa: N815
    axis: Axis = Axis()
    format: NumberFormat | None = None


class Label(Part):
    """Whether each mark carries its value."""

    show: bool


class ChartEncodings(Part):
    """What a chart draws where."""

    x: Channel | None = None
    y: Channel | SeriesChannel | None = None
    color: Channel | None = None
    angle: Channel | None = None
    label: Label = Label(show=False)


class Mark(Part):
    """How series stand beside each other, and their colours in order."""

    layout: Literal["stack", "group"] = "stack"
    colors: list[Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]] = []


class Frame(Part):
    """Heading of a widget."""

    title: str = ""
    showTitle: bool = False  # noqa: N815
    description: str = ""
    showDescription: bool = False  # noqa: N815


class ChartSpec(Part):
    """A chart."""

    version: Literal[3]
    widgetType: Chart  # noqa: N815
    encodings: ChartEncodings
    frame: Frame = Frame()
    mark: Mark = Mark()

    @model_validator(mode="after")
    def _has_its_channels(self) -> ChartSpec:
        e = self.encodings
        needed = {"pie": ("angle", "color"), "heatmap": ("x", "y", "color")}.get(self.widgetType, ("x", "y"))
        missing = [name for name in needed if getattr(e, name) is None]
        if missing:
            raise ValueError(f"a {self.widgetType} needs {' and '.join(missing)}")
        if self.widgetType == "heatmap" and isinstance(e.y, SeriesChannel):
            raise ValueError("the y of a heatmap is one field")
        return self


class ValueRef(FieldRef):
    """A figure or a table's column."""

    format: NumberFormat | None = None


class CounterEncodings(Part):
    """The figure of a counter."""

    value: ValueRef


class CounterSpec(Part):
    """One large figure."""

    version: Literal[2]
    widgetType: Literal["counter"]  # noqa: N815
    encodings: CounterEncodings
    frame: Frame = Frame()


class TableEncodings(Part):
    """The columns of a table, in order."""

    columns: list[ValueRef] = Field(min_length=1)


class TableSpec(Part):
    """A table."""

    version: Literal[2]
    widgetType: Literal["table"]  # noqa: N815
    encodings: TableEncodings
    frame: Frame = Frame()


class FilterField(FieldRef):
    """A column that a filter acts on, with the query that names its dataset."""

    queryName: str  # noqa: N815


class FilterEncodings(Part):
    """The columns that a filter acts on."""

    fields: list[FilterField] = Field(min_length=1)


class FilterSpec(Part):
    """A filter."""

    version: Literal[2]
    widgetType: DateFilter | SelectFilter  # noqa: N815
    encodings: FilterEncodings
    frame: Frame = Frame()


class TextBox(Part):
    """Markdown, of which headings and paragraphs are drawn."""

    lines: list[str]


class TextWidget(Part):
    """A widget that is only text."""

    name: str
    multilineTextboxSpec: TextBox  # noqa: N815


Spec = Annotated[ChartSpec | CounterSpec | TableSpec | FilterSpec, Field(discriminator="widgetType")]


class DataWidget(Part):
    """A widget over one dataset, or a filter over several."""

    name: str
    queries: list[NamedQuery] = Field(min_length=1)
    spec: Spec

    @model_validator(mode="after")
    def _refers_to_its_fields(self) -> DataWidget:
        known = {field.name for named in self.queries for field in named.query.fields}
        used = set(_field_names(self.spec.encodings.model_dump()))
        if unknown := used - known:
            raise ValueError(
                f"encodings name {', '.join(sorted(unknown))}, its queries have {', '.join(sorted(known))}"
            )
        if not isinstance(self.spec, FilterSpec) and len(self.queries) != 1:
            raise ValueError("only a filter has more than one query")
        return self


def _kind_of(widget: Any) -> str:
    return "text" if isinstance(widget, dict) and "multilineTextboxSpec" in widget else "data"


class Placed(Part):
    """A widget and its place."""

    # Told apart by hand: a plain union would answer a mistake in one with the faults of both.
    widget: Annotated[
        Annotated[TextWidget, Tag("text")] | Annotated[DataWidget, Tag("data")], Discriminator(_kind_of)
    ]
    position: Position


class PageFile(Part):
    """One tab."""

    name: str
    displayName: str = ""  # noqa: N815
    pageType: Literal["PAGE_TYPE_CANVAS"] = "PAGE_TYPE_CANVAS"  # noqa: N815
    layout: list[Placed]


class DatasetFile(Part):
    """One dataset."""

    name: str
    displayName: str = ""  # noqa: N815
    queryLines: list[str] = Field(min_length=1)  # noqa: N815


class DashboardFile(Part):
    """A whole file."""

    datasets: list[DatasetFile]
    pages: list[PageFile] = Field(min_length=1)


def _field_names(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["fieldName"]] if "fieldName" in part else []
        return own + [name for value in part.values() for name in _field_names(value)]
    if isinstance(part, (list, tuple)):
        return [name for value in part for name in _field_names(value)]
    return []
