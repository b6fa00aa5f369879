"""What happens to an account without a trade, and the ratio of a split as the broker tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.aggregates.activities import ActivityRecorded, evolve, record, split_terms
from gateway.aggregates.reports import AccountActivity
from gateway.aggregates.vocabulary import Symbol
from tests.aggregates.desk import at, d
from tests.kit.covers import covers
from tests.kit.given import given

ROW = AccountActivity(
    activity_id="a1",
    kind="SPLIT",
    sub_kind=None,
    at=at(1),
    day=at(1).date(),
    symbol=Symbol("AAPL"),
    qty=None,
    price=None,
    per_share=None,
    net_amount=d(0),
    status="executed",
    group_id="g1",
    description="2 for 1",
)


def rows(*qtys: str) -> list[AccountActivity]:
    return [replace(ROW, activity_id=f"a{n}", qty=d(qty)) for n, qty in enumerate(qtys)]


def test_an_activity_is_recorded_once_whatever_it_says_the_second_time() -> None:
    start = given(evolve)
    (event,) = record(None, ROW)
    assert isinstance(event, ActivityRecorded)
    assert event.activity_id == "a1"
    start.when(record, ROW).then(event)
    given(evolve, event).when(record, replace(ROW, qty=d(5))).then()


@covers("FC:E-05")
@pytest.mark.parametrize(
    ("told", "held", "old", "new"),
    [
        (("-100", "200"), "100", 100, 200),
        (("200", "-100"), "100", 100, 200),
        (("-100", "10"), "100", 100, 10),
        (("100", "-200"), "-100", 100, 200),
        (("100", "-10"), "-100", 100, 10),
        (("100",), "100", 100, 200),
        (("-90",), "100", 100, 10),
        (("-100",), "-100", 100, 200),
        (("-50", "100"), "80", 50, 100),
    ],
)
def test_a_split_is_told_as_old_shares_out_and_new_ones_in_or_as_what_was_added(
    told: tuple[str, ...], held: str, old: int, new: int
) -> None:
    terms = split_terms(rows(*told), d(held))
    assert terms is not None
    assert (terms.old, terms.new, terms.at) == (old, new, at(1))


@pytest.mark.parametrize(
    ("told", "held"),
    [((), "100"), (("100",), "0"), (("-100",), "100"), (("-100", "100"), "100"), (("-100", "200"), "200")],
)
def test_what_is_no_ratio_is_no_split(told: tuple[str, ...], held: str) -> None:
    assert split_terms(rows(*told), d(held)) is None


@covers("FC:E-06")
def test_another_kind_of_activity_is_no_split() -> None:
    assert split_terms([replace(ROW, kind="JNLS", qty=d(25))], d(100)) is None
