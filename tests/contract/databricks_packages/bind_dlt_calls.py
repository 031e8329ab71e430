"""Runs in the contract environment: imports DLT files with databricks-dlt and binds every call to its signature."""

from __future__ import annotations

import inspect
import json
import runpy
import sys
import traceback


def main() -> None:
    question = json.load(sys.stdin)
    # pyspark, which databricks-dlt's annotations name, from the project's environment; behind this one's packages.
    sys.path[:0] = [question["project_root"]]
    sys.path += question["site_packages"]
    import dlt

    calls: list[str] = []
    names = [
        name for name, value in vars(dlt).items() if inspect.isfunction(value) and not name.startswith("_")
    ]
    parameters = {
        name: list(inspect.signature(getattr(dlt, name)).parameters)
        for name in names
        if getattr(dlt, name).__module__.split(".")[0] == "dlt"
    }
    for name in names:
        setattr(dlt, name, _recorded(name, inspect.signature(getattr(dlt, name)), calls))
    errors = {}
    for file in question["files"]:
        problem = _problem(file)
        if problem is not None:
            errors[file] = problem
    json.dump(
        {"calls": calls, "errors": errors, "parameters": parameters, "origin": dlt.__file__}, sys.stdout
    )


def _problem(file: str) -> str | None:
    try:
        runpy.run_path(file)
    except (TypeError, AttributeError, ImportError):
        return traceback.format_exc(limit=-1)
    return None


def _recorded(name: str, signature: inspect.Signature, calls: list[str]):
    def call(*args, **kwargs):
        signature.bind(*args, **kwargs)
        calls.append(name)
        return lambda function: function

    return call


if __name__ == "__main__":
    main()
