"""Expectations: every rule of a dataset evaluated once per row, in the same pass that writes the rows.

Each row gets a bit mask of the rules that it fails (a predicate that is NULL fails, because it is not true) and
a flag that says whether it is dropped. Staged files are split by the flag, so what is kept can be adopted as
it is and what is dropped is left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from local_workspace.dlt_runtime.declare.registry import Expectation
from local_workspace.dlt_runtime.own_columns import DROPPED, MASK
from local_workspace.dlt_runtime.plan.answers import expression_for_engine
from local_workspace.dlt_runtime.plan.plans import Relation
from local_workspace.dlt_runtime.spec import ExpectationCount
from local_workspace.sql.inference import Columns

#: One BIGINT column holds this many rules; more rules take more columns.
RULES_PER_MASK = 62


@dataclass(frozen=True)
class Counts:
    """What the staged rows say about the rules."""

    rows: int
    dropped: int
    rules: tuple[ExpectationCount, ...]

    def failed(self, action: str) -> list[ExpectationCount]:
        """List the rules with an action that some row failed."""
        return [r for r in self.rules if r.action == action and r.failed]


def mask_columns(rules: Sequence[Expectation]) -> list[str]:
    """Name the mask columns that a set of rules needs."""
    return [f"{MASK}{i}" for i in range((len(rules) + RULES_PER_MASK - 1) // RULES_PER_MASK)]


def with_masks(relation: Relation, rules: Sequence[Expectation], columns: Columns | None) -> Relation:
    """Add the mask columns and the flag of dropped rows to a query.

    Args:
        relation: The query, ready for the engine.
        rules: What is counted.
        columns: Of the query; their types decide how the engine has to be asked.
    """
    result = Relation()
    result.with_columns.input.CopyFrom(relation)
    names = mask_columns(rules)
    for at, name in enumerate(names):
        part = rules[at * RULES_PER_MASK : (at + 1) * RULES_PER_MASK]
        bits = [
            f"CASE WHEN ({expression_for_engine(rule.condition, columns)}\n) THEN 0L ELSE {1 << bit}L END"
            for bit, rule in enumerate(part)
        ]
        alias = result.with_columns.aliases.add()
        alias.name.append(name)
        alias.expr.expression_string.expression = _balanced_sum(bits)
    dropping = [
        sum(1 << bit for bit in range(RULES_PER_MASK) if _drops(rules, at, bit)) for at in range(len(names))
    ]
    flagged = Relation()
    flagged.with_columns.input.CopyFrom(result)
    alias = flagged.with_columns.aliases.add()
    alias.name.append(DROPPED)
    tests = [f"({name} & {mask}L) <> 0" for name, mask in zip(names, dropping, strict=True) if mask]
    alias.expr.expression_string.expression = (
        f"CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END" if tests else "0"
    )
    return flagged


def _drops(rules: Sequence[Expectation], column: int, bit: int) -> bool:
    at = column * RULES_PER_MASK + bit
    return at < len(rules) and rules[at].action == "drop"


def _balanced_sum(terms: Sequence[str]) -> str:
    """Add terms as a balanced tree: the engine recurses over an expression."""
    if len(terms) <= 2:
        return " + ".join(terms)
    middle = len(terms) // 2
    return f"({_balanced_sum(terms[:middle])}) + ({_balanced_sum(terms[middle:])})"


def count(files: Sequence[Path], rules: Sequence[Expectation]) -> Counts:
    """Count rows and failures from the masks of the staged files, kept and dropped ones."""
    if not files:
        return Counts(0, 0, tuple(ExpectationCount(r.name, r.action, 0, 0) for r in rules))
    names = mask_columns(rules)
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
    connection = duckdb.connect()
    try:
        groups = connection.execute(
            f"select count(*), {', '.join(names)} from read_parquet([{listed}], hive_partitioning=false)"
            f" group by {', '.join(names)}"
        ).fetchall()
    finally:
        connection.close()
    rows = sum(g[0] for g in groups)
    failed = [
        sum(g[0] for g in groups if g[1 + at // RULES_PER_MASK] >> (at % RULES_PER_MASK) & 1)
        for at in range(len(rules))
    ]
    dropping = [at for at, rule in enumerate(rules) if rule.action == "drop"]
    dropped = sum(
        g[0]
        for g in groups
        if any(g[1 + at // RULES_PER_MASK] >> (at % RULES_PER_MASK) & 1 for at in dropping)
    )
    return Counts(
        rows,
        dropped,
        tuple(ExpectationCount(r.name, r.action, rows - n, n) for r, n in zip(rules, failed, strict=True)),
    )


def violating_rows(
    files: Sequence[Path], rules: Sequence[Expectation], failed: Sequence[str], limit: int = 3
) -> list[str]:
    """Return the first rows that fail one of the named rules, as JSON."""
    tests = [
        f"({MASK}{at // RULES_PER_MASK} & {1 << (at % RULES_PER_MASK)}) <> 0"
        for at, rule in enumerate(rules)
        if rule.name in failed
    ]
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
    hidden = ", ".join([*mask_columns(rules)])
    connection = duckdb.connect()
    try:
        rows = connection.execute(
            f"select to_json(t)::varchar from (select * exclude ({hidden}) from read_parquet([{listed}],"
            f" hive_partitioning=false) where {' or '.join(tests)} limit {limit}) t"
        ).fetchall()
    finally:
        connection.close()
    return [row[0] for row in rows]


def violation_text(flow: str, failed: Sequence[ExpectationCount], rows: Sequence[str]) -> str:
    """Return the error text that Databricks shows for `expect_or_fail`."""
    names = ", ".join(f"'{rule.name}'" for rule in failed)
    record = rows[0] if rows else "{}"
    return (
        f"[EXPECTATION_VIOLATION.VERBOSITY_ALL] Flow '{flow}' failed to meet the expectation."
        f" Violated expectations: {names}. Output record: '{record}'"
    )
