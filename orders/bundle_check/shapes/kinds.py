"""What the shapes share: keys are optional unless `Required`, unknown keys and values of another type are errors.

The shapes are TypedDicts, not models: a key of a bundle is there or not, and is never null, which a model's optional
field would accept. Nothing is built from them. pydantic compares a mapping with them and reports every difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, with_config
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import Required, TypedDict

strict = with_config(ConfigDict(extra="forbid", strict=True))
"""Decorates a shape: no unknown keys, and no conversion: `"yes"` is not true, and `1` is not a text."""

T = TypeVar("T")
TextMap = dict[Any, str]
"""Texts by any key. YAML reads some keys as numbers."""

Check = Callable[[Any], PydanticCustomError | None]


def also(check: Check) -> WrapValidator:
    """Return a validator that reports a problem of a whole value beside those of its parts.

    pydantic's own validators of a whole run only if all parts are valid, or keep the parts from being checked. Either
    would hide one mistake behind another.
    """

    def validate(value: Any, check_parts: ValidatorFunctionWrapHandler) -> Any:
        problem = check(value)
        try:
            checked = check_parts(value)
        except ValidationError as error:
            if problem is None:
                raise
            raise ValidationError.from_exception_data(
                error.title,
                [
                    InitErrorDetails(type=problem, loc=(), input=value),
                    *(
                        InitErrorDetails(
                            type=PydanticCustomError(part["type"], "", part.get("ctx")),
                            loc=part["loc"],
                            input=part["input"],
                        )
                        for part in error.errors()
                    ),
                ],
            ) from error
        if problem is not None:
            raise problem
        return checked

    return WrapValidator(validate)


def exactly_one(*keys: str) -> WrapValidator:
    """Return a validator of a mapping in which exactly one of some keys determines its kind."""

    def check(value: Any) -> PydanticCustomError | None:
        given = [key for key in keys if key in value] if isinstance(value, dict) else [""]
        return (
            None
            if len(given) == 1
            else PydanticCustomError("exactly_one", "", {"keys": keys, "given": given})
        )

    return also(check)


def elements(least: int = 0, most: int | None = None) -> WrapValidator:
    """Return a validator of a list's length."""

    def check(value: Any) -> PydanticCustomError | None:
        if not isinstance(value, list) or (least <= len(value) and (most is None or len(value) <= most)):
            return None
        bounds = f"at least {least}" if most is None else f"{least} to {most}"
        return PydanticCustomError("elements", "", {"bounds": bounds})

    return also(check)


@strict
class Principal(TypedDict, total=False):
    """A user, a group or a service principal, by one of three keys."""

    group_name: str
    service_principal_name: str
    user_name: str


ONE_PRINCIPAL = exactly_one("group_name", "service_principal_name", "user_name")
RunAs = Annotated[Principal, ONE_PRINCIPAL]


class Permission(Principal, Generic[T], total=False):
    """What one principal may do with a resource."""

    level: Required[T]


Permissions = list[Annotated[Permission[T], ONE_PRINCIPAL]]
"""The permissions on a resource; its levels as a Literal."""


@strict
class Grant(TypedDict, Generic[T], total=False):
    """Unity Catalog privileges of one principal."""

    principal: Required[str]
    privileges: Required[Annotated[list[T], elements(least=1)]]


@strict
class Lifecycle(TypedDict, total=False):
    """What a deployment must not do to a resource."""

    prevent_destroy: bool
