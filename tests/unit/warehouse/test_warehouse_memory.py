"""Guards the memory of a workspace that is up for weeks: what is kept of texts has a bound."""

from __future__ import annotations

from local_workspace.sql_warehouse import remembered
from local_workspace.sql_warehouse.remembered import Memory, Premises


def test_the_answers_that_were_not_used_for_the_longest_time_go_first() -> None:
    """Guards the bound for long texts, and for any number of short ones with many premises."""
    memory = Memory()
    premises = Premises({("table", number): number for number in range(40)})
    memory.put("long", "used", premises, remembered._MOST_CHARACTERS // 3)
    for number in range(10_000):
        memory.put(number, "short", premises, 10)
        assert memory.get("long") is not None
    kept = [number for number in range(10_000) if memory.get(number) is not None]
    assert kept == list(range(kept[0], 10_000))
    assert 500 < len(kept) < 3000
    memory.put("huge", "alone", premises, remembered._MOST_CHARACTERS)
    assert memory.get("huge") is None
    assert memory.get("long") == ("used", premises)
