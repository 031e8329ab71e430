"""Names of tables become folders that every program takes, and no two names the same one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from local_workspace.plain_names import plain_name

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=255)


@given(NAMES)
def test_every_name_has_a_folder(name: str) -> None:
    """Guards what a file system and the engine take: few characters, and not too many of them."""
    assert re.fullmatch(r"[a-z0-9_+-]{1,255}", plain_name(name))


@given(NAMES, NAMES)
def test_two_names_never_share_a_folder(one: str, other: str) -> None:
    """Guards against two tables in one folder; names that differ in case only are one table."""
    assert (plain_name(one) == plain_name(other)) == (one.lower() == other.lower())


def test_ordinary_names_stay_readable() -> None:
    """Guards existing workspaces: the folders of ordinary tables keep their names."""
    assert plain_name("Fct_Daily-Revenue2") == "fct_daily-revenue2"
    assert plain_name("x'y\"z;--") == "x+27y+22z+3b--"
