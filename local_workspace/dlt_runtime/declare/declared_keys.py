"""Primary and foreign keys in the `schema` argument of a dataset, and how they come into the catalog.

Keys are informational: they tell readers and BI tools how tables join, and nobody checks them. That the columns of a primary
key are never NULL is checked.

Sources, Databricks documentation: "table" (pipelines, Python reference: a schema may have primary and foreign keys), "CREATE
MATERIALIZED VIEW (pipelines)" and "CONSTRAINT clause".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from local_workspace.catalog import Catalog, Constraint, TableName
from local_workspace.errors import NotSupported, PipelineCodeError

_WAY_OUT = "Declare columns, types, NOT NULL, comments, primary and foreign keys only"
PRIMARY, FOREIGN = "PRIMARY KEY", "FOREIGN KEY"


@dataclass(frozen=True)
class DeclaredKey:
    """A key as declared.

    Attributes:
        name: As written; None for one that is made from the table's name.
        type: `PRIMARY KEY` or `FOREIGN KEY`.
        columns: Columns of the dataset.
        references: The table that a foreign key points to, as written.
        referenced_columns: Its columns; none means its primary key.
    """

    name: str | None
    type: str
    columns: tuple[str, ...]
    references: str = ""
    referenced_columns: tuple[str, ...] = ()


def key_of_table(definition: exp.Expression, where: str) -> DeclaredKey:
    """Read `[CONSTRAINT name] PRIMARY KEY (..)` or `[CONSTRAINT name] FOREIGN KEY (..) REFERENCES ..`.

    Raises:
        NotSupported: It is another kind of constraint.
    """
    name, kind = None, definition
    if isinstance(definition, exp.Constraint) and len(definition.expressions) == 1:
        name, kind = definition.name, definition.expressions[0]
    columns = tuple(column.name for column in kind.expressions)
    if isinstance(kind, exp.PrimaryKey):
        return DeclaredKey(name, PRIMARY, columns)
    if isinstance(kind, exp.ForeignKey):
        return _foreign(name, columns, kind.args["reference"])
    raise NotSupported(f"{definition.sql('databricks')} in the schema of {where}", _WAY_OUT)


def key_of_column(column: str, constraint: exp.ColumnConstraint) -> DeclaredKey | None:
    """Read `[CONSTRAINT name] PRIMARY KEY` or `[CONSTRAINT name] REFERENCES ..`; None for anything else."""
    name = constraint.name or None
    if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
        return DeclaredKey(name, PRIMARY, (column,))
    if isinstance(constraint.kind, exp.Reference):
        return _foreign(name, (column,), constraint.kind)
    return None


def _foreign(name: str | None, columns: tuple[str, ...], reference: exp.Reference) -> DeclaredKey:
    target = reference.this
    referenced = target.expressions if isinstance(target, exp.Schema) else []
    table = target.this if isinstance(target, exp.Schema) else target
    return DeclaredKey(name, FOREIGN, columns, table.sql("databricks"), tuple(c.name for c in referenced))


def check_keys(keys: Sequence[DeclaredKey], columns: Sequence[str], where: str) -> None:
    """Hold keys against the columns beside them.

    Raises:
        PipelineCodeError: A key names a column that is not declared, or there are two primary keys.
    """
    known = {column.lower() for column in columns}
    for key in keys:
        unknown = [column for column in key.columns if column.lower() not in known]
        if unknown:
            raise PipelineCodeError(
                f"The {key.type.lower()} in the schema of {where} names {', '.join(unknown)}, which is not declared",
                allowed=", ".join(columns),
            )
    if sum(key.type == PRIMARY for key in keys) > 1:
        raise PipelineCodeError(f"The schema of {where} has two primary keys", allowed="one")


def differing_keys(catalog: Catalog, name: TableName, keys: Sequence[DeclaredKey]) -> bool:
    """Return whether the catalog shows other keys of a table than those declared."""
    return set(_recorded(catalog, name)) != set(_constraints(catalog, name, keys))


def record_keys(catalog: Catalog, name: TableName, keys: Sequence[DeclaredKey]) -> None:
    """Bring the keys of a table in the catalog to those declared.

    Raises:
        PipelineCodeError: A foreign key points to a table that does not exist, or that has no primary key.
    """
    wanted = list(_constraints(catalog, name, keys))
    for found in _recorded(catalog, name):
        if found not in wanted:
            catalog.drop_constraint(name, found.name)
    present = set(_recorded(catalog, name))
    for constraint in wanted:
        if constraint not in present:
            catalog.add_constraint(name, constraint)


def _recorded(catalog: Catalog, name: TableName) -> list[Constraint]:
    return [c for c in catalog.constraints(name) if c.type in (PRIMARY, FOREIGN)]


def _constraints(catalog: Catalog, name: TableName, keys: Sequence[DeclaredKey]) -> Iterator[Constraint]:
    for key in keys:
        if key.type == PRIMARY:
            yield Constraint(key.name or f"{name.table.lower()}_pk", PRIMARY, key.columns)
            continue
        target = TableName.parse(key.references, catalog=name.catalog, schema=name.schema)
        if catalog.get(target) is None:
            raise PipelineCodeError(
                f"A foreign key of {name} points to {target}, which does not exist",
                allowed="a table that exists before this one, so not one computed from it",
                consequence=f"The data of {name} is written, but its keys are not in the catalog",
                next_step="Refresh that table first, or omit the key",
            )
        referenced = key.referenced_columns or _primary_key(catalog, target, name)
        made = "_".join(key.columns).lower()
        yield Constraint(
            key.name or f"{name.table.lower()}_{made}_fk", FOREIGN, key.columns, None, target, referenced
        )


def _primary_key(catalog: Catalog, target: TableName, name: TableName) -> tuple[str, ...]:
    key = catalog.primary_key(target)
    if key is not None:
        return key.columns
    raise PipelineCodeError(
        f"A foreign key of {name} names no column of {target}, which has no primary key",
        next_step=f"Write REFERENCES {target} (column)",
    )
