"""Which models would come out different at another moment, though nothing that they read has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# A table keeps what a view would ask again; an export keeps it in Postgres.
_KEPT = frozenset({"table", "incremental", "snapshot", "materialized_view", "streaming_table"})


def clock_readers(manifest: Mapping[str, Any]) -> list[str]:
    """Name the nodes of a build whose stored result depends on time, chance or the user.

    These are tables, incremental models, snapshots and exported models that call such a function themselves or read a view
    that does, and tests that call one. A model that reads such a view, but no column of it that depends on the moment,
    says so in `meta.takes_no_age`, with the reason.

    Args:
        manifest: dbt's manifest after the build, with compiled code.
    """
    nodes: Mapping[str, Any] = manifest["nodes"]
    own = {name: _asks(node.get("compiled_code") or "") for name, node in nodes.items()}
    return sorted(
        node["name"]
        for name, node in nodes.items()
        if (node["resource_type"] == "test" and own[name])
        or (_is_kept(node) and any(own[read] for read in _read_anew(nodes, name)))
    )


def _is_kept(node: Mapping[str, Any]) -> bool:
    if node["resource_type"] not in {"model", "snapshot"}:
        return False
    return node["config"]["materialized"] in _KEPT or "export" in (node["config"].get("meta") or {})


def _read_anew(nodes: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield a node and what a query of it computes: the views that it reads, and those that they read."""
    pending, seen = [name], {name}
    while pending:
        current = pending.pop()
        yield current
        if (nodes[current]["config"].get("meta") or {}).get("takes_no_age"):
            continue
        for parent in nodes[current]["depends_on"].get("nodes", []):
            node = nodes.get(parent)
            if node is None or parent in seen or node["resource_type"] != "model":
                continue
            if node["config"]["materialized"] not in _KEPT:
                seen.add(parent)
                pending.append(parent)


def _asks(sql: str) -> bool:
    from local_workspace.sql.dialect import SqlSyntaxError, peek
    from local_workspace.sql.functions import is_volatile as is_volatile_name
    from local_workspace.sql.moments import bare_name, is_volatile

    if not any(is_volatile_name(word) for word in set(re.findall(r"\w+", sql.lower()))):
        return False
    try:
        tree = peek(sql)
    except SqlSyntaxError:
        return True  # nobody knows, so it may
    # `user` is a function unless a table has such a column.
    return is_volatile(tree) or any(bare_name(node) == "user" for node in tree.walk())
