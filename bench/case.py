"""What a benchmark reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One measured case.

    Attributes:
        name: What was done.
        seconds: Wall time; a median where `note` says so.
        ratio: Against the peer, which has 1.0.
        note: Size, and how often.
    """

    name: str
    seconds: float
    ratio: float
    note: str = ""
