"""From a source file to a dashboard: the edges of gold.fct_lineage in the order of the data, with row counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Query = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Node:
    """A file, dataset, model or exposure.

    Attributes:
        stage: Longest way from a source, in edges; the order of the list.
        kind: `file`, `dataset`, `seed`, `model`, `snapshot` or `exposure`.
        name: Path of a file, two-level name of a relation, name of an exposure.
        rows: Rows of a relation, rows that Bronze took from a file; None where there is nothing to count.
        reads: Names of what it is made of.
    """

    stage: int
    kind: str
    name: str
    rows: int | None
    reads: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the node for a table or JSON."""
        return {
            "stage": self.stage,
            "kind": self.kind,
            "name": self.name,
            "rows": self.rows,
            "reads": list(self.reads),
        }


def lineage(query: Query, *, to: str | None = None) -> list[Node]:
    """Read the lineage of the last build.

    Args:
        query: Runs one statement.
        to: Only what this relation or exposure is made of, itself included.

    Returns:
        Nodes in the order of the data; empty if `to` is not in the lineage.

    Raises:
        QueryFailedError: The marts are not built yet.
    """
    edges = query("SELECT from_kind, from_name, to_kind, to_name FROM gold.fct_lineage ORDER BY 2, 4")
    kinds: dict[str, str] = {}
    reads: dict[str, list[str]] = {}
    for edge in edges:
        kinds[edge["from_name"]] = edge["from_kind"]
        kinds[edge["to_name"]] = edge["to_kind"]
        if edge["from_name"] not in reads.setdefault(edge["to_name"], []):
            reads[edge["to_name"]].append(edge["from_name"])
    wanted = set(kinds) if to is None else _upstream(to, reads) & set(kinds)
    stages = _stages(wanted, reads)
    rows = _row_counts(query, {name: kinds[name] for name in wanted})
    nodes = [Node(stages[n], kinds[n], n, rows.get(n), tuple(reads.get(n, ()))) for n in wanted]
    return sorted(nodes, key=lambda node: (node.stage, node.kind, node.name))


def _upstream(name: str, reads: Mapping[str, Sequence[str]]) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(reads.get(node, ()))
    return found


def _stages(names: set[str], reads: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the longest way to each node; a table that reads itself does not go round."""
    stages = dict.fromkeys(names, 0)
    for _ in names:
        longer = {
            name: max((stages[r] + 1 for r in reads.get(name, ()) if r in stages and r != name), default=0)
            for name in names
        }
        if longer == stages:
            break
        stages = longer
    return stages


def _row_counts(query: Query, kinds: Mapping[str, str]) -> dict[str, int]:
    """Rows of relations that exist, and of files as Bronze has them; a view is not counted, because that would run it."""
    counts: dict[str, int] = {}
    if "file" in kinds.values():
        rows = query("SELECT source_file, count(*) AS n FROM bronze.orders GROUP BY source_file")
        counts |= {row["source_file"]: row["n"] for row in rows if row["source_file"] in kinds}
    tables = query(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type <> 'VIEW' ORDER BY 1, 2"
    )
    there = [f"{row['table_schema']}.{row['table_name']}" for row in tables]
    selects = [f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in there if name in kinds]
    if selects:
        counts |= {row["name"]: row["n"] for row in query(" UNION ALL ".join(selects))}
    return counts
