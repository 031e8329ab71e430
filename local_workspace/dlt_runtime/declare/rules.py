"""Declaring expectations: `@dlt.expect` and its five kin."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from local_workspace.dlt_runtime.declare.arguments import name_argument
from local_workspace.dlt_runtime.declare.registry import Expectation, ExpectationAction, active_registry
from local_workspace.errors import PipelineCodeError

F = TypeVar("F", bound=Callable[..., Any])

_EXPECTATIONS = "_dlt_expectations"
#: The attribute of a function that a dataset decorator has registered.
DATASET = "_dlt_dataset"


_OURS = "_dlt_wrapper"


def with_mark(function: F, mark: str, value: Any) -> F:
    """Give a function that does the same and carries a mark; the function itself stays as it is.

    One function, or one method of many objects, may so feed several datasets with rules of their own.
    """

    @functools.wraps(function)
    def same(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    same.__dict__.update({mark: value, _OURS: (same, bare(function))})
    return cast("F", same)


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function without our marks; what its author has wrapped it in stays."""
    wrapper, inner = getattr(function, _OURS, (None, function))
    return inner if wrapper is function else function


def rules_of(function: Callable[..., Any]) -> list[Expectation]:
    """List the expectations on a function, from the lowest decorator upwards."""
    return list(getattr(function, _EXPECTATIONS, ()))


def _expect(rules: Mapping[str, str], action: ExpectationAction, decorator: str) -> Callable[[F], F]:
    where = active_registry(decorator).caller()
    if not isinstance(rules, Mapping) or not rules:
        raise PipelineCodeError(f"{decorator} takes a dict {{name: condition}}", got=f"{rules!r} at {where}")
    for name, condition in rules.items():
        name_argument(name, f"{decorator}: the name of an expectation", where)
        name_argument(condition, f"{decorator}: the condition of expectation {name!r}", where)

    def attach(fn: F) -> F:
        if getattr(fn, DATASET, None):
            raise PipelineCodeError(
                f"{decorator} stands above the dataset decorator of {fn.__name__}",
                got=f"at {where}",
                consequence="The rule would not be checked",
                next_step="Put it below @dlt.table",
            )
        # Decorators apply from the bottom up: the list is turned round when the dataset is registered.
        kept = rules_of(fn)
        kept.extend(Expectation(n, c, action) for n, c in reversed(list(rules.items())))
        return with_mark(fn, _EXPECTATIONS, kept)

    return attach


def expect(name: str, inv: str) -> Callable[[F], F]:
    """Count the rows that break the rule and keep them.

    Args:
        name: Unique within the dataset.
        inv: A SQL condition over the dataset's columns; a row for which it is not true breaks it.
    """
    return _expect({name: inv}, "warn", "@dlt.expect")


def expect_or_drop(name: str, inv: str) -> Callable[[F], F]:
    """Count and drop the rows that break the rule.

    Args:
        name: Unique within the dataset.
        inv: A SQL condition over the dataset's columns; a row for which it is not true breaks it.
    """
    return _expect({name: inv}, "drop", "@dlt.expect_or_drop")


def expect_or_fail(name: str, inv: str) -> Callable[[F], F]:
    """Fail the flow, and commit nothing of it, if a row breaks the rule.

    Args:
        name: Unique within the dataset.
        inv: A SQL condition over the dataset's columns; a row for which it is not true breaks it.
    """
    return _expect({name: inv}, "fail", "@dlt.expect_or_fail")


def expect_all(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect` for each rule.

    Args:
        expectations: Name -> SQL condition.
    """
    return _expect(expectations, "warn", "@dlt.expect_all")


def expect_all_or_drop(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect_or_drop` for each rule.

    Args:
        expectations: Name -> SQL condition.
    """
    return _expect(expectations, "drop", "@dlt.expect_all_or_drop")


def expect_all_or_fail(expectations: Mapping[str, str]) -> Callable[[F], F]:
    """Do `expect_or_fail` for each rule.

    Args:
        expectations: Name -> SQL condition.
    """
    return _expect(expectations, "fail", "@dlt.expect_all_or_fail")
