"""The rules of a table, compared with the staged rows of a batch before they become part of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from local_workspace.delta import log
from local_workspace.delta.batches import Target
from local_workspace.delta.constraints import Broken, Kind, first_broken
from local_workspace.delta.shape import TableShape, shape_of
from local_workspace.delta.slices import slice_of_files
from local_workspace.delta.staging import StagedFile
from local_workspace.dlt_runtime.context import UpdateContext
from local_workspace.dlt_runtime.plan.answers import columns_of_schema, expression_for_engine
from local_workspace.dlt_runtime.plan.rewrite import delta_read
from local_workspace.dlt_runtime.plan.session import data_frame, engine_schema, unguarded
from local_workspace.errors import DataFault

_CLASSES = {
    Kind.CHECK: "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES",
    Kind.NOT_NULL: "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
    Kind.LENGTH: "DELTA_EXCEED_CHAR_VARCHAR_LIMIT",
}


class ConstraintViolated(DataFault):
    """A row breaks a rule of its table; nothing of its batch was committed."""

    @classmethod
    def of(cls, broken: Broken, flow: str) -> ConstraintViolated:
        """Word what is broken."""
        text = {
            Kind.CHECK: f"CHECK constraint {broken.name} ({broken.rule}) violated",
            Kind.NOT_NULL: f"NOT NULL constraint violated for column: {broken.name}",
            Kind.LENGTH: f"Values exceed the length limitation of column {broken.name}, {broken.rule}",
        }[broken.kind]
        way_out = "Drop such rows with an expectation, or "
        return cls(
            f"[{_CLASSES[broken.kind]}] {text}",
            got=f"{broken.rows:,} rows of flow {flow}",
            consequence="Nothing of this flow was committed",
            next_step=way_out
            + (
                "declare the column without NOT NULL and key"
                if broken.kind is Kind.NOT_NULL
                else "change the rule of the table"
            ),
        )


def check_constraints(
    context: UpdateContext, flow: str, files: Sequence[StagedFile], target: Target, *, overwrite: bool
) -> None:
    """Hold the rows of a batch against NOT NULL, CHECK and lengths of the table that they go to.

    Args:
        context: The update.
        flow: For the error's text.
        files: The rows.
        target: The table as the dataset declares it.
        overwrite: Whether the batch replaces the columns of the table with the declared ones.

    Raises:
        ConstraintViolated: A row breaks a rule.
    """
    shape = _shape(target, overwrite=overwrite)

    def count(conditions: Sequence[str]) -> list[int]:
        folder = context.fresh_stage("constraints") / "rows"
        slice_of_files(
            folder, [{**field, "nullable": True} for field in shape.fields], target.partition_by, files
        )
        rows = delta_read(folder, 0)
        columns = columns_of_schema(engine_schema(rows, context.session))
        counts = [
            f"count(CASE WHEN {expression_for_engine(condition, columns)} THEN 1 END)"
            for condition in conditions
        ]
        with unguarded(context.session):
            found = data_frame(rows, context.session).selectExpr(*counts).collect()
        return [int(number) for number in found[0]]

    broken = first_broken([file.add for file in files], shape.fields, shape.checks, count)
    if broken is not None:
        raise ConstraintViolated.of(broken, flow)


def _shape(target: Target, *, overwrite: bool) -> TableShape:
    """Return the columns and the rules that hold once the batch is in the table."""
    declared = [json.loads(field.to_json()) for field in target.schema.fields]
    table = log.open_table(target.location)
    if table is None:
        return TableShape(declared, target.partition_by, target.properties)
    now = shape_of(table)
    if overwrite:
        return TableShape(declared, target.partition_by, now.configuration)
    # What the table says of a column holds, too; what it does not have yet comes as it is declared.
    present = {str(field["name"]).lower(): field for field in now.fields}
    fields = []
    for field in declared:
        known = present.pop(str(field["name"]).lower(), field)
        nullable = field["nullable"] and known["nullable"]
        fields.append({**field, "nullable": nullable, "metadata": known["metadata"]})
    return TableShape([*fields, *present.values()], target.partition_by, now.configuration)
