"""Guards how rows are shown on a terminal: no value is broken, and a cut is marked."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from rich.cells import cell_len

from dlt_ingest.errors import InputError
from orders.cli.console import console, print_columns, say
from orders.cli.tables import CUT, Cell, cut, is_cut, lay_out

MOMENT = datetime(2025, 1, 6, 23, 59, 59, 123456, tzinfo=timezone.utc)
WIDE = {
    "order_id": "ORD-0000000000000000001",
    "placed_at": MOMENT,
    "date_ordered": date(2025, 1, 6),
    "net_revenue": Decimal("1234567890123456.78"),
    "share": Decimal("0.123456"),
    "note": "a note that nobody has ever read to its end, though it goes on and on for longer than a terminal is wide",
    "customer_name": "Ünsal 山田",
    "is_refund": False,
}


def lines_of(values: dict[str, object], width: int | None) -> list[str]:
    cells = [
        Cell.of(v, None if v is None else v.isoformat() if hasattr(v, "isoformat") else str(v))
        for v in values.values()
    ]
    return [line.plain for line in lay_out(list(values), [cells], width)]


@pytest.mark.parametrize("width", [40, 80, 120, 160, 250])
def test_no_number_or_moment_is_broken(width: int) -> None:
    """Guards figures against a terminal that is narrower than the row: each stands whole on one line."""
    lines = lines_of(WIDE, width)
    for whole in (MOMENT.isoformat(), "2025-01-06", "1234567890123456.78", "0.123456", "False"):
        assert any(whole in line for line in lines), (width, lines)
    assert all(cell_len(line) <= max(width, 60) for line in lines)


def test_a_wide_row_is_a_block() -> None:
    """Guards the reader at 80 columns: one line per column, its name before its value, as psql does."""
    lines = lines_of(WIDE, 80)
    assert lines[0].startswith("── row 1 ")
    assert [line.split()[0] for line in lines[1:]] == list(WIDE)
    assert all(cell_len(line) <= 80 for line in lines)
    note = next(line for line in lines if line.startswith("note"))
    assert note.endswith(CUT)


def test_what_fits_is_a_table() -> None:
    """Guards short rows, and the columns of numbers, which line up on the right."""
    lines = lines_of({"item": "mug", "net_revenue": Decimal("9.50")}, 80)
    assert lines == ["item  net_revenue", "mug          9.50"]


def test_a_long_text_is_cut_before_the_table_is_given_up() -> None:
    """Guards the table with one long text: that text gives way, with a mark, and the figures stay."""
    lines = lines_of({"note": WIDE["note"], "net_revenue": Decimal("9.50")}, 60)
    assert lines[1].startswith("a note that nobody")
    assert CUT in lines[1]
    assert lines[1].endswith("9.50")
    assert max(cell_len(line) for line in lines) <= 60


def test_without_a_terminal_nothing_is_cut() -> None:
    """Guards logs and pipes, which have no width: whoever greps finds the whole value."""
    lines = lines_of(WIDE, None)
    assert len(lines) == 2
    assert str(WIDE["note"]) in lines[1]


def test_a_cut_counts_wide_characters() -> None:
    """Guards the width of Chinese, Japanese and Korean texts, of which a character takes two columns."""
    assert cut("山田太郎", 5) == f"山田{CUT}"
    assert cut("mug", 3) == "mug"


def test_control_characters_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards the terminal against data: a line break or an escape sequence in a field is shown, not obeyed."""
    print_columns(["item"], [["a\nb\x1b[31mred"]], "table")
    assert "a\\nb\\x1b[31mred" in capsys.readouterr().out


def test_nothing_printed_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards the terminal against names of files and data, in whatever form they are printed; a pipe gets CSV unchanged."""
    evil = "a\x1b[31mred\x9b1A\x7f\x07\u202eknil"
    say("unreadable file  ", (evil, "dim"))
    print_columns(["item"], [[evil]], "table")
    assert capsys.readouterr().out.count("a\\x1b[31mred\\x9b1A\\x7f") == 2
    print_columns(["item"], [[{"in": [evil]}]], "json")
    printed = capsys.readouterr().out
    assert not set("\x1b\x9b\x7f\x07") & set(printed)
    assert json.loads(printed) == [{"item": {"in": [evil]}}]
    print_columns(["item"], [[evil]], "csv")
    assert evil in capsys.readouterr().out


def test_markup_in_data_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards values and paths with brackets or colons: they once were taken for styles, and vanished."""
    print_columns(["item"], [["[red]mug[/red] :smile: [/nonsense]"]], "table")
    say("in ", ("/srv/[bold]/orders", "dim"))
    console.print("The workspace in /srv/[a-z] is up")
    printed = capsys.readouterr().out
    assert "[red]mug[/red] :smile: [/nonsense]" in printed
    assert "/srv/[bold]/orders" in printed
    assert "/srv/[a-z] is up" in printed


def test_two_columns_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Guards `select 1 as a, 2 as a`: both values are shown, and JSON, which cannot, says so."""
    print_columns(["a", "a"], [[1, 2]], "table")
    print_columns(["a", "a"], [[1, 2]], "csv")
    assert capsys.readouterr().out == "a  a\n1  2\n1 row\na,a\n1,2\n"
    with pytest.raises(InputError, match="the same name"):
        print_columns(["a", "a"], [[1, 2]], "json")


def test_a_cut_is_known() -> None:
    """Guards the line that says where the whole value is: only when something was cut."""
    cell = Cell("x" * 100, may_be_cut=True)
    assert is_cut(lay_out(["a"], [[cell]], 80))
    assert not is_cut(lay_out(["a"], [[cell]], None))
