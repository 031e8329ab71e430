"""What the catalog answers with: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from local_workspace.catalog.names import Securable, TableName

TABLE_KINDS = ("TABLE", "VIEW", "STREAMING_TABLE", "MATERIALIZED_VIEW", "METRIC_VIEW")
VIEW_KINDS = ("VIEW", "METRIC_VIEW")
CONSTRAINT_TYPES = ("PRIMARY KEY", "FOREIGN KEY", "CHECK", "NOT NULL")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: In the case that the table has.
        data_type: As Spark writes it in DDL, lower case, nested types included:
        `array<struct<order_id:string>>`.
        nullable: False only if the table itself refuses NULL.
        comment: The catalog's comment, or else the one in the Delta schema.
        position: From 0.
        partition_index: From 0 for a partition column, otherwise None.
    """

    name: str
    data_type: str
    nullable: bool = True
    comment: str | None = None
    position: int = 0
    partition_index: int | None = None


@dataclass(frozen=True)
class Table:
    """A table or view as the catalog knows it.

    Attributes:
        name: In the case in which it was given.
        kind: One of `TABLE`, `VIEW`, `STREAMING_TABLE`, `MATERIALIZED_VIEW`.
        location: The folder of the Delta table; None for a view.
        managed: The folder belongs to the table and goes when it is dropped.
        view_sql: The query of a view; for the other kinds what was recorded, if anything.
        column_comments: By column name in lower case.
        object_id: Stays the same when the table is renamed or replaced.
    """

    name: TableName
    kind: str
    location: Path | None
    managed: bool
    view_sql: str | None
    comment: str | None
    owner: str
    created_at: datetime
    altered_at: datetime
    object_id: int
    properties: dict[str, str] = field(default_factory=dict)
    column_comments: dict[str, str] = field(default_factory=dict)

    @property
    def is_view(self) -> bool:
        """True for a view and a metric view, which have no data of their own."""
        return self.kind in VIEW_KINDS


@dataclass(frozen=True)
class SchemaInfo:
    """A schema, or a catalog where `schema` is None."""

    catalog: str
    schema: str | None
    comment: str | None
    owner: str
    created_at: datetime
    altered_at: datetime


@dataclass(frozen=True)
class Volume:
    """A managed volume and its folder."""

    catalog: str
    schema: str
    name: str
    location: Path
    comment: str | None
    owner: str
    created_at: datetime
    altered_at: datetime


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table. Whether it is enforced is the writer's business; the catalog records it.

    Attributes:
        columns: Of this table, for keys and NOT NULL.
        expression: Of a CHECK.
        references: The table that a foreign key points to, with the columns in `referenced_columns`.
    """

    name: str
    type: str
    columns: tuple[str, ...] = ()
    expression: str | None = None
    references: TableName | None = None
    referenced_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function, or one column of the table that it returns.

    Attributes:
        name: As written.
        data_type: SQL type as written.
        default: SQL of its default, if it has one.
        comment: Its comment, if it has one.
    """

    name: str
    data_type: str
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Function:
    """A function that SQL was used to define; it stands for its body wherever it is called.

    Attributes:
        name: Its three-level name.
        parameters: In order.
        returns: SQL type of the value; None for a table.
        columns: Of the table that is returned; none if they are those of the query.
        body: The expression or query after RETURN, with the names of the catalog in full.
        written: The body as it was written.
        is_table: Whether it returns a table.
        comment: Its comment, if it has one.
        characteristics: `DETERMINISTIC` and the like, as written.
        owner: Who made it.
        created_at: When it was made.
        altered_at: When it was last replaced or annotated.
    """

    name: TableName
    parameters: tuple[Parameter, ...]
    returns: str | None
    columns: tuple[Parameter, ...]
    body: str
    written: str
    is_table: bool = False
    comment: str | None = None
    characteristics: tuple[str, ...] = ()
    owner: str = ""
    created_at: datetime | None = None
    altered_at: datetime | None = None


@dataclass(frozen=True)
class Policy:
    """What a table shows to those who read it: a row filter, or the mask of one column.

    Attributes:
        function: Decides; the mask gets the column first.
        column: The masked column; "" for a row filter.
        arguments: Columns of the table, or literals as SQL, that the function gets (after the masked column).
    """

    function: TableName
    column: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grant:
    """One privilege of one principal on one securable."""

    securable: Securable
    principal: str
    privilege: str


@dataclass(frozen=True)
class Anomaly:
    """Something of a workspace that somebody should look at: most are differences between the catalog and the folders.

    Attributes:
        problem: `folder without table`, `table without folder`, `volume without folder`, `leftover of a drop`, or
            `much memory`.
        subject: The name, the path or the figure.
        next_step: What to do about it.
    """

    problem: str
    subject: str
    next_step: str
