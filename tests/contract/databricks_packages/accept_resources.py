"""Runs in the contract environment: gives the bundle's resources to the classes of databricks-bundles."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import json
import sys
import typing

CLASSES = {
    "alerts": ("alerts", "Alert"),
    "dashboards": ("dashboards", "Dashboard"),
    "jobs": ("jobs", "Job"),
    "pipelines": ("pipelines", "Pipeline"),
    "schemas": ("schemas", "Schema"),
    "secret_scopes": ("secret_scopes", "SecretScope"),
    "volumes": ("volumes", "Volume"),
}


def main() -> None:
    question = json.load(sys.stdin)
    refused = {}
    for kind, resources in question["resources"].items():
        for name, resource in resources.items():
            problem = _refusal(kind, resource)
            if problem is not None:
                refused[f"{kind}.{name}"] = problem
    unknown = []
    for kind, shape in question["shapes"].items():
        unknown += _compare(_class(kind), shape, kind)
    json.dump({"refused": refused, "unknown": unknown}, sys.stdout)


def _refusal(kind: str, resource: dict) -> str | None:
    try:
        _class(kind).from_dict(resource)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return str(error) or type(error).__name__
    return None


def _class(kind: str) -> type:
    module, name = CLASSES[kind]
    return getattr(importlib.import_module(f"databricks.bundles.{module}"), name)


def _compare(cls: object, shape: dict, path: str) -> list[str]:
    """Keys and words of our shape that the class does not know."""
    if "words" in shape:
        known = (
            {member.value for member in cls} if isinstance(cls, type) and issubclass(cls, enum.Enum) else None
        )
        return [f"{path}: {word}" for word in shape["words"] if known is not None and word not in known]
    if "item" in shape:
        return _compare(cls, shape["item"], f"{path}[]")
    found = []
    if "keys" in shape and dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        for key, child in shape["keys"].items():
            if key not in hints:
                found.append(f"{path}.{key}")
            else:
                found += _compare(_inner(hints[key]), child, f"{path}.{key}")
    return found


def _inner(hint: object) -> object:
    """The class or enumeration inside `Optional[Variable[list[Variable[X] | X]]]`."""
    for argument in typing.get_args(hint):
        if isinstance(argument, type) and (
            dataclasses.is_dataclass(argument) or issubclass(argument, enum.Enum)
        ):
            if argument.__module__.startswith("databricks.bundles.core"):
                continue
            return argument
        inner = _inner(argument)
        if inner is not None:
            return inner
    return None


if __name__ == "__main__":
    main()
