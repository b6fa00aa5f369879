"""Copies with something changed are what `dataclasses.replace` makes, for every record that is folded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.aggregates.copying import changed
from gateway.aggregates.order.fills import Fills

AT = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)


def test_a_copy_equals_what_the_standard_library_makes() -> None:
    before = Fills(cum_qty=Decimal(3), amended=True)
    after = changed(before, cum_qty=Decimal(5), last_time=AT)
    assert after == replace(before, cum_qty=Decimal(5), last_time=AT)
    assert type(after) is Fills


def test_the_original_stays_as_it_was() -> None:
    before = Fills(cum_qty=Decimal(3))
    changed(before, cum_qty=Decimal(5))
    assert before == Fills(cum_qty=Decimal(3))


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        changed(Fills(), quantity=Decimal(5))  # type: ignore[call-arg]
