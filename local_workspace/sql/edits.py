"""Places in a text and what comes there instead; everything else stays letter by letter."""

from __future__ import annotations

from collections.abc import Iterable

#: Start and end of a place in a text, and the new text for it.
Edit = tuple[int, int, str]


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with other texts in some of its places.

    Args:
        text: The text.
        edits: In any order. No place reaches into another one.
    """
    # From the end: what is before a place stays where it was.
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
