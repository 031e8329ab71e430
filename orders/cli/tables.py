"""Rows as text of a given width: a table if it fits, otherwise one block per row, like psql's output of wide results.

Numbers, dates and timestamps are never broken or cut. A long text is cut at its end, with the mark `…`. Without a
terminal there is no width, so nothing is cut.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

CUT = "…"
# Overrides, embeddings and isolates of Unicode's bidirectional algorithm (UAX 9): what follows is shown in another order.
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_GAP = "  "
# A text column may shrink to this many characters before the table becomes blocks.
_LEAST_TEXT = 24


@dataclass(frozen=True)
class Cell:
    """One value for display.

    Attributes:
        text: The value on one line; control characters as escapes, so that data cannot move the cursor.
        style: Rich style; empty for plain text.
        may_be_cut: Whether it is a text, whose beginning is useful.
        to_the_right: Whether it is a number.
        ends_matter: Whether to cut at the beginning: the end of a path or of a qualified name is more useful.
    """

    text: str
    style: str = ""
    may_be_cut: bool = False
    to_the_right: bool = False
    ends_matter: bool = False

    @classmethod
    def of(cls, value: object, shown: str | None, *, ends_matter: bool = False) -> Cell:
        """Return the cell of a value.

        Args:
            value: The value, for its type.
            shown: Its text; None for a missing value.
            ends_matter: As the attribute.
        """
        if shown is None:
            return cls("NULL", style="dim")
        is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
        is_text = isinstance(value, (str, bytes, bytearray, dict, list, tuple))
        return cls(one_line(shown), may_be_cut=is_text, to_the_right=is_number, ends_matter=ends_matter)

    @property
    def width(self) -> int:
        """Terminal columns that it needs: two for a wide character."""
        return cell_len(self.text)


def one_line(text: str) -> str:
    """Return a text with its control characters as escapes: a line break is shown, not executed."""
    return _escaped(text, keep="")


def without_controls(text: str) -> str:
    """Return a text whose lines and tabs stay, with all other control characters as escapes."""
    return _escaped(text, keep="\n\t")


def _escaped(text: str, keep: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if char not in keep and _steers(char) else char
        for char in text
    )


def _steers(char: str) -> bool:
    """Whether a character moves the cursor, begins a command of the terminal, or turns the text around it."""
    return unicodedata.category(char) in {"Cc", "Zl", "Zp"} or char in _BIDIRECTIONAL


def cut(text: str, width: int, *, at_start: bool = False) -> str:
    """Return a text in at most `width` columns, with the mark where it is cut."""
    if cell_len(text) <= width:
        return text
    if at_start:
        return CUT + set_cell_size(text[::-1], max(width - 1, 0)).rstrip()[::-1]
    return set_cell_size(text, max(width - 1, 0)).rstrip() + CUT


def lay_out(names: Sequence[str], rows: Sequence[Sequence[Cell]], width: int | None) -> list[Text]:
    """Return the lines of a table, or of one block per row if not even a table with cut texts fits.

    Args:
        names: Headings of the columns; two columns may have the same.
        rows: One cell per heading.
        width: Width of the terminal; None without one.
    """
    heads = [one_line(name) for name in names]
    natural = [max([cell_len(head), *(row[i].width for row in rows)]) for i, head in enumerate(heads)]
    widths = _fitted(heads, rows, natural, width)
    return _blocks(heads, rows, width) if widths is None else _table(heads, rows, widths)


def is_cut(lines: Sequence[Text]) -> bool:
    """Return whether a cell shows less than its value."""
    return any(CUT in line.plain for line in lines)


def _fitted(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], natural: list[int], width: int | None
) -> list[int] | None:
    """Return the widths of a table's columns, or None if the table does not fit."""
    room = None if width is None else width - len(_GAP) * (len(natural) - 1)
    if room is None or sum(natural) <= room:
        return natural
    least = [
        min(wide, max(cell_len(head), _LEAST_TEXT))
        if all(row[i].may_be_cut or row[i].width <= _LEAST_TEXT for row in rows)
        else wide
        for i, (head, wide) in enumerate(zip(heads, natural, strict=True))
    ]
    if sum(least) > room:
        return None
    widths = list(natural)
    while sum(widths) > room:
        # The widest column shrinks first, so that short texts stay complete.
        widest = max(range(len(widths)), key=lambda i: widths[i] - least[i])
        widths[widest] -= 1
    return widths


def _table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], widths: Sequence[int]) -> list[Text]:
    right = [bool(rows) and any(row[i].to_the_right for row in rows) for i in range(len(heads))]
    lines = [_line([Cell(head, style="bold") for head in heads], widths, right)]
    lines += [_line(row, widths, right) for row in rows]
    return lines


def _line(cells: Sequence[Cell], widths: Sequence[int], right: Sequence[bool]) -> Text:
    line = Text(no_wrap=True)
    for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        text = cut(cell.text, width, at_start=cell.ends_matter)
        blank = " " * (width - cell_len(text))
        line.append(_GAP if i else "")
        line.append(blank if right[i] else "")
        line.append(text, style=cell.style)
        line.append(blank if not right[i] and i < len(cells) - 1 else "")
    line.rstrip()
    return line


def _blocks(heads: Sequence[str], rows: Sequence[Sequence[Cell]], width: int | None) -> list[Text]:
    name_width = max((cell_len(head) for head in heads), default=0)
    room = None if width is None else max(width - name_width - len(_GAP), 1)
    lines = []
    for number, row in enumerate(rows, start=1):
        lines.append(Text(f"── row {number:,} ".ljust(min(width or 40, 40), "─"), style="dim", no_wrap=True))
        for head, cell in zip(heads, row, strict=True):
            text = (
                cut(cell.text, room, at_start=cell.ends_matter)
                if room is not None and cell.may_be_cut
                else cell.text
            )
            blank = " " * (name_width - cell_len(head))
            lines.append(Text.assemble((head, "bold"), blank, _GAP, (text, cell.style), no_wrap=True))
    return lines
