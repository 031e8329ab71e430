"""What Spark refuses when it analyses a query, and the engine answers: refused with Spark's own classes.

Source: the error classes of Apache Spark (``error-conditions.json``) and their checks in ``CheckAnalysis``,
``ExtractGenerator`` and ``AstBuilder``.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from local_workspace.sql.dialect import Node
from local_workspace.sql.functions import Kind, function
from local_workspace.sql.inference import call_of
from local_workspace.sql.sql_error import SqlError


def refuse_as_spark(tree: Node) -> None:
    """Refuse what Spark refuses.

    Raises:
        SqlError: UNSUPPORTED_GENERATOR or DUPLICATED_CTE_NAMES.
    """
    for node in tree.walk():
        if isinstance(node, exp.Select):
            _check_generators(node)
        elif isinstance(node, exp.With):
            _check_names(node)


def _check_generators(select: exp.Select) -> None:
    """One generator for each SELECT list, and nothing around it."""
    found: list[str] = []
    for projection in select.expressions:
        value = projection.this if isinstance(projection, (exp.Alias, exp.Aliases)) else projection
        for name, call in _generators(value):
            if call is not value.unnest():
                raise SqlError(
                    "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
                    f"The generator is not supported: nested in expressions: {name}(). Select it by itself in a subquery.",
                    "42K0E",
                )
            found.append(name)
    if len(found) > 1:
        raise SqlError(
            "UNSUPPORTED_GENERATOR.MULTI_GENERATOR",
            f"The generator is not supported: only one generator allowed per SELECT clause but found {len(found)}: "
            f"{', '.join(found)}. Use LATERAL VIEW for the others.",
            "42K0E",
        )
    for clause in ("where", "group", "having"):
        for name, _ in _generators(select.args.get(clause)):
            raise SqlError(
                "UNSUPPORTED_GENERATOR.OUTSIDE_SELECT",
                f"The generator is not supported: outside the SELECT clause, found: {name}().",
                "42K0E",
            )


def _generators(within: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the calls of generators in an expression; queries within it are queries of their own."""
    if within is None:
        return
    for node in within.walk(prune=lambda part: isinstance(part, exp.Query)):
        name = call_of(node)[0]
        known = function(name) if name else None
        if known is not None and known.kind is Kind.GENERATOR:
            yield name, node


def _check_names(with_: exp.With) -> None:
    names = [cte.alias.lower() for cte in with_.expressions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SqlError(
            "DUPLICATED_CTE_NAMES",
            f"CTE definition can't have duplicate names: {', '.join(f'`{name}`' for name in twice)}.",
            "42602",
        )
