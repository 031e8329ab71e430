"""Which models would come out different at another moment, though nothing that they read has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# A table keeps what a view would ask again; an export keeps it in Postgres.
_KEPT = frozenset({"table", "incremental", "snapshot", "materialized_view", "streaming_table"})
_WITHOUT_BRACKETS = frozenset(
    {
        "current_date",
        "current_time",
        "current_timestamp",
        "localtimestamp",
        "current_user",
        "session_user",
        "user",
    }
)


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
    from local_workspace.sql.functions import is_volatile
    from local_workspace.sql.tokens import tokenize

    if not any(is_volatile(word) for word in set(re.findall(r"\w+", sql.lower()))):
        return False
    words = tokenize(sql)
    return any(
        word.kind == "word"
        and is_volatile(word.text)
        and (word.text.lower() in _WITHOUT_BRACKETS or (after is not None and after.text == "("))
        # A column of that name, as in `runs.version`, is none of them.
        and (before is None or before.text != ".")
        for before, word, after in zip((None, *words), words, (*words[1:], None), strict=False)
    )
