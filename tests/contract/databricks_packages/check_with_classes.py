"""Runs in the contract environment: the project's own offline check, with databricks-bundles at hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    question = json.load(sys.stdin)
    sys.path[:0] = [question["project_root"]]
    sys.path += question["site_packages"]
    # The namespace package must take in this environment's part too.
    import databricks.bundles

    from orders.bundle_check.rules import check_bundle

    findings = check_bundle(Path(question["bundle"]), ["prod"])
    json.dump(
        {"findings": [finding.as_dict() for finding in findings], "origin": databricks.bundles.__file__},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
