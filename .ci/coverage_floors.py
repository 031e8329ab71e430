"""Compare what the unit tests reach with a floor per package; `make coverage` runs it.

Lines and branches count alike. A package of another 2,000 lines must not hide a new one without tests, so each folder has a
floor of its own. The floors are those of the unit tests alone: what needs an engine is reached by tests/integration, whose
processes are not measured.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

FLOORS = Path(__file__).with_suffix(".json")


def shares(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, float]:
    """Return the percentage reached of each package: the first two folders of a file, or the first if it has one."""
    reached: dict[str, int] = defaultdict(int)
    all_: dict[str, int] = defaultdict(int)
    for file, measured in report["files"].items():
        package = "/".join(Path(file).parts[:-1][:2])
        counts = measured["summary"]
        reached[package] += counts["covered_lines"] + counts["covered_branches"]
        all_[package] += counts["num_statements"] + counts["num_branches"]
    return {package: 100 * reached[package] / count for package, count in sorted(all_.items()) if count}


def findings(found: dict[str, float], floors: dict[str, int]) -> list[str]:
    """Return one sentence per package below its floor, without one, or gone."""
    below = [
        f"{package}: the unit tests reach {found[package]:.1f} %, the floor is {floor} %. Next: test what you added"
        for package, floor in floors.items()
        if package in found and found[package] < floor
    ]
    new = [f"{p}: has no floor. Next: add {int(found[p])} to {FLOORS.name}" for p in found if p not in floors]
    gone = [f"{p}: is gone. Next: remove it from {FLOORS.name}" for p in floors if p not in found]
    return [*below, *new, *gone]


def main(report: str) -> int:
    """Print the shares and the findings; return 1 if there are findings."""
    found = shares(json.loads(Path(report).read_text(encoding="utf-8")))
    floors = json.loads(FLOORS.read_text(encoding="utf-8"))
    for package, share in found.items():
        print(f"{share:6.1f} %  floor {floors.get(package, '-'):>3}  {package}")
    problems = findings(found, floors)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
