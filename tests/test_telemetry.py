"""What is measured stays a closed set, whatever is traded."""

from __future__ import annotations

from gateway.telemetry import SymbolLabels


def test_the_symbols_beyond_the_first_five_hundred_share_a_label() -> None:
    label = SymbolLabels()
    names = [f"S{number}" for number in range(SymbolLabels.LIMIT)]
    assert [label(name) for name in names] == names
    assert label("ONE.MORE") == "other"
    assert [label(name) for name in names] == names
