"""Texts and arrays as long as an argument says: an engine that fills the memory answers nobody any more."""

from __future__ import annotations

from sqlglot import exp

from local_workspace.errors import NotSupported
from local_workspace.sql.dialect import Node
from local_workspace.sql.inference import call_of
from local_workspace.sql.rewrites.registry import Rewriting, on_call

#: Characters, or elements.
LONGEST = 100_000_000
# Function -> the place of the argument that says how long its value is.
_LENGTHS = {"lpad": 1, "rpad": 1, "repeat": 1, "space": 0, "array_repeat": 1}


@on_call(*_LENGTHS, first=True)
def length(at: Rewriting, node: Node) -> None:
    """Sail 0.7.2 makes a value of any length and cannot be interrupted; Spark fails when its memory is full."""
    name, parts = call_of(node)
    place = _LENGTHS[name]
    if len(parts) <= place:
        return
    given = parts[place].unnest()
    if isinstance(given, exp.Literal) and not given.is_string:
        if given.is_int and int(given.name) > LONGEST:
            raise NotSupported(
                f"{name}() to more than {LONGEST:,}, which fills the memory of the local engine,",
                "Make shorter values",
                got=given.name,
            )
        return
    if isinstance(given, (exp.Neg, exp.Null)):
        return
    error = f"raise_error('[UNSUPPORTED] {name}() to more than {LONGEST}. Make shorter values')"
    bounded = f"CASE WHEN {{{place}}} > {LONGEST} THEN CAST({error} AS INT) ELSE {{{place}}} END"
    arguments = ", ".join(bounded if n == place else f"{{{n}}}" for n in range(len(parts)))
    at.replace(node, f"{name}({arguments})", *parts)
