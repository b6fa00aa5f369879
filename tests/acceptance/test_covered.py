"""Every row of what must hold is shown by a test, or is known not to be."""

from __future__ import annotations

import ast

from tests.kit.covers import claims, named_in, pending, sections

ROWS = {row for rows in sections().values() for row in rows}
CLAIMS = claims()
PENDING = pending()


def test_every_row_is_shown_or_pending() -> None:
    assert sorted(ROWS - CLAIMS.keys() - PENDING.keys()) == []


def test_what_a_test_names_is_a_row() -> None:
    assert {row: tests for row, tests in CLAIMS.items() if row not in ROWS} == {}


def test_what_is_shown_is_no_longer_pending() -> None:
    assert {row: CLAIMS[row] for row in PENDING.keys() & CLAIMS.keys()} == {}


def test_what_is_pending_is_a_row() -> None:
    assert sorted(PENDING.keys() - ROWS) == []


def test_a_row_is_named_by_the_mark_or_by_an_entry_of_a_table() -> None:
    one, other = "FC:A-01", "INV-02"
    for text, named in (
        (f'@covers("{one}", "{other}")\ndef test_x(): ...', [(one, "x"), (other, "x")]),
        ('@covers("nonsense")\nasync def test_x(): ...', [("nonsense", "x")]),
        (f'@mark(ids=["{one} zero"])\ndef test_x(): ...', [(one, "x")]),
        (f'TABLE = {{"{one} zero": b"0"}}', [(one, "TABLE")]),
        (f'def test_x():\n    """{one}."""', []),
        (f'@covers("{one}")\ndef helper(): ...', []),
    ):
        assert sorted(set(named_in(ast.parse(text)))) == named, text
