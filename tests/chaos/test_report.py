"""What a run shows when its books differ."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from gateway.chaos.report import judge, show_size
from tests.chaos.story import SOUND, filled, open_break, tables, told


def test_every_difference_is_shown_under_its_invariant_and_handed_on() -> None:
    printed = StringIO()
    found = judge(Console(file=printed, width=500), told(filled(7, "one", 4, exec_id="e2")))
    assert found
    assert "✗" in printed.getvalue()
    assert all(words in printed.getvalue() for words in found)


def test_sound_books_show_nothing_but_ticks() -> None:
    printed = StringIO()
    assert judge(Console(file=printed, width=500), SOUND) == []
    assert "✗" not in printed.getvalue()


def test_every_open_break_is_shown_with_both_its_figures() -> None:
    printed = StringIO()
    entry = {**open_break(), "kind": "position_qty", "ledger_value": "0", "broker_value": "50"}
    show_size(Console(file=printed, width=500), tables(open_breaks=[entry]), 60)
    assert "1 open breaks" in printed.getvalue()
    assert "break: position_qty" in printed.getvalue()
    assert "0 here, 50 there" in printed.getvalue()
