"""Row filters and column masks: what a table shows, and which of its rows a statement may change.

A table with policies is read as a query: its columns, each masked one as its function gives it, of the rows for which the
filter is true. Functions run as their caller, as in Unity Catalog: ``current_user()`` and ``is_account_group_member()``
within them ask who reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from local_workspace.catalog import Column, Policy, Table
from local_workspace.sql.dialect import Node, SqlSyntaxError, is_within, peek, span
from local_workspace.sql.sql_error import not_supported
from local_workspace.sql.tokens import quote_identifier

# A name that no table of a user has.
_ALIAS = "policy_"


def shown(table: Table, columns: Sequence[Column], policies: Sequence[Policy]) -> str:
    """Return the query that stands for a table with policies.

    Args:
        table: The table.
        columns: Its columns.
        policies: What holds for it.
    """
    masks = {p.column.lower(): p for p in policies if p.column}
    items = []
    for column in columns:
        name = quote_identifier(column.name)
        mask = masks.get(column.name.lower())
        value = f"{_ALIAS}.{name}"
        if mask is not None:
            value = f"CAST({_call(mask, _ALIAS, (column.name,))} AS {column.data_type})"
        items.append(f"{value} AS {name}")
    where = "".join(f" WHERE {_call(p, _ALIAS)}" for p in policies if not p.column)
    return f"SELECT {', '.join(items)} FROM {table.name.quoted} AS {_ALIAS}{where}"


def _call(policy: Policy, alias: str, first: tuple[str, ...] = ()) -> str:
    columns = [f"{quote_identifier(alias)}.{quote_identifier(c)}" for c in first]
    # An argument that is no column is kept as SQL, with a mark before it.
    columns += [
        a[1:] if a.startswith("=") else f"{quote_identifier(alias)}.{quote_identifier(a)}"
        for a in policy.arguments
    ]
    return f"{policy.function.quoted}({', '.join(columns)})"


def restricted(sql: str, table: Table, policies: Sequence[Policy]) -> str:
    """Return an UPDATE, DELETE or MERGE that changes only the rows which its user may see.

    Args:
        sql: The statement.
        table: Its target.
        policies: Of the target.

    Raises:
        SqlError: It reads a masked column of the target, or cannot be read.
    """
    word = sql.split(None, 1)[0].upper()
    try:
        tree = peek(sql)
    except SqlSyntaxError as error:
        raise not_supported(
            f"this form of {word} on a table with row filters or masks", "Write it plainly."
        ) from error
    target = tree.this
    alias = target.alias_or_name if isinstance(target, exp.Table) else table.name.table
    masked = {p.column.lower() for p in policies if p.column}
    for column in _read_columns(tree):
        owner = column.table.lower()
        if column.name.lower() in masked and owner in ("", alias.lower(), table.name.table.lower()):
            raise not_supported(
                f"{word} that reads the masked column {column.name} of {table.name.quoted}",
                "Compare other columns, or drop the mask first.",
            )
    filters = [_call(p, alias) for p in policies if not p.column]
    if not filters:
        return sql
    if isinstance(tree, exp.Merge) and any(when.args.get("source") for when in tree.find_all(exp.When)):
        # By the filter in ON a hidden row has no match.
        raise not_supported(
            "NOT MATCHED BY SOURCE on a table with a row filter",
            "Use DELETE or UPDATE, or drop the filter first.",
        )
    condition = tree.args.get("on") if isinstance(tree, exp.Merge) else tree.args.get("where")
    text = " AND ".join(filters)
    if condition is None:
        return f"{sql} WHERE {text}"
    where = span(condition.this if isinstance(condition, exp.Where) else condition)
    if where is None:
        raise not_supported(
            f"this form of {word} on a table with a row filter", "Write its condition plainly."
        )
    return f"{sql[: where[0]]}({sql[where[0] : where[1]]}) AND {text}{sql[where[1] :]}"


def _read_columns(tree: Node) -> Iterator[exp.Column]:
    """Return the columns that a statement reads; not those that it assigns or inserts into."""
    for column in tree.find_all(exp.Column):
        around = column.parent
        is_assigned = (
            isinstance(around, exp.EQ)
            and around.this is column
            and around.arg_key == "expressions"
            and isinstance(around.parent, exp.Update)
        )
        insert = column.find_ancestor(exp.Insert)
        if is_assigned or (insert is not None and insert.this is not None and is_within(column, insert.this)):
            continue
        yield column
