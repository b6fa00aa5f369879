"""The arithmetic of one book, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aggregates.cost_basis import FLAT, Book, adjust, apply, average_px, split, unrealized
from gateway.aggregates.exact import canonical, minus, plus, times, total
from gateway.aggregates.vocabulary import Side

Execution = tuple[Side, Decimal, Decimal]
BUY, SELL = Side.BUY, Side.SELL


def d(text: str) -> Decimal:
    return Decimal(text)


def held(qty: str, avg: str, realized: str = "0") -> Book:
    return Book(qty=d(qty), cost=d(qty).copy_abs() * d(avg), realized=d(realized))


@pytest.mark.parametrize(
    ("start", "side", "qty", "px", "qty_after", "avg", "realized"),
    [
        (FLAT, BUY, "100", "150", "100", "150", "0"),
        (held("100", "100"), BUY, "50", "120", "150", "106.666667", "0"),
        (held("100", "100"), SELL, "50", "120", "50", "100", "1000"),
        (held("50", "100"), SELL, "100", "120", "-50", "120", "1000"),
        (held("-50", "100"), BUY, "50", "90", "0", "0", "500"),
        (held("-50", "100", "5"), BUY, "80", "90", "30", "90", "505"),
    ],
)
def test_an_execution_moves_the_book_as_the_vectors_say(
    start: Book, side: Side, qty: str, px: str, qty_after: str, avg: str, realized: str
) -> None:
    book, _ = apply(start, side, d(qty), d(px))
    assert (book.qty, average_px(book), book.realized) == (d(qty_after), d(avg), d(realized))


def test_a_thirds_cost_is_rounded_once_and_the_round_trip_loses_nothing() -> None:
    book, realized = FLAT, []
    for side, qty, px in ((BUY, 1, 10), (BUY, 2, 11), (SELL, 1, 12), (SELL, 2, 12)):
        book, amount = apply(book, side, Decimal(qty), Decimal(px))
        realized.append(amount)
    assert realized == [0, 0, d("1.3333333333"), d("2.6666666667")]
    assert book.realized == 4


def test_fractions_of_a_share_are_exact() -> None:
    book = FLAT
    for side, qty, px in ((BUY, "0.4", "10"), (BUY, "0.35", "10.5"), (SELL, "0.75", "11")):
        book, _ = apply(book, side, d(qty), d(px))
    assert (book.qty, book.cost, book.realized) == (0, 0, d("0.575"))


quantities = st.decimals(min_value="0.000000001", max_value="1000000000", places=9)
prices = st.decimals(min_value="0.0001", max_value="1000000", places=4)
executions = st.lists(st.tuples(st.sampled_from(Side), quantities, prices), min_size=1, max_size=12)


def cash(trades: list[Execution]) -> Decimal:
    """Proceeds minus payments."""
    return total(times(px, qty) if side is SELL else times(px, qty).copy_negate() for side, qty, px in trades)


@given(executions, prices)
def test_realized_and_unrealized_are_the_cash_and_the_worth_at_every_mark(
    trades: list[Execution], mark: Decimal
) -> None:
    book = FLAT
    for side, qty, px in trades:
        book, _ = apply(book, side, qty, px)
    assert book.cost >= 0
    assert plus(book.realized, unrealized(book, mark)) == plus(cash(trades), times(mark, book.qty))


@given(executions, prices)
def test_over_a_round_trip_realized_is_exactly_proceeds_minus_cost(
    trades: list[Execution], last_px: Decimal
) -> None:
    book = FLAT
    for side, qty, px in trades:
        book, _ = apply(book, side, qty, px)
    closing = (SELL if book.qty > 0 else BUY, book.qty.copy_abs(), last_px)
    flat, _ = apply(book, *closing)
    assert (flat.qty, flat.cost) == (0, 0)
    assert flat.realized == cash([*trades, closing])


def test_an_adjustment_moves_quantity_and_cost_and_realizes_nothing() -> None:
    assert adjust(held("100", "10", "7"), d("-20"), d("-200")) == held("80", "10", "7")
    assert adjust(FLAT, d("-20"), d("-200")) == held("-20", "10")
    assert adjust(held("100", "10", "7"), d("-100"), d("-1000")) == Book(
        qty=d("0"), cost=d("0"), realized=d("7")
    )


def test_a_split_multiplies_shares_and_keeps_what_was_paid() -> None:
    assert split(held("20", "50"), d("1"), d("2")) == held("40", "25")
    assert split(held("-20", "50"), d("1"), d("2")) == held("-40", "25")
    assert split(held("100", "10"), d("10"), d("1")) == held("10", "100")
    assert split(held("1", "30"), d("3"), d("1")).qty == d("0.333333333")


def test_a_split_leaves_alone_what_was_traded_in_new_shares() -> None:
    after = split(held("15", "10"), d("1"), d("2"), since=d("5"))
    assert (after.qty, after.cost) == (25, 150)


def test_a_flat_book_is_worth_nothing_at_any_price() -> None:
    assert unrealized(FLAT, d("123.45")) == 0
    assert average_px(FLAT) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"),
        ("150.50", "150.5"),
        ("1E+3", "1000"),
        ("-0.00", "0"),
        ("-0.0001", "-0.0001"),
        ("0E-9", "0"),
    ],
)
def test_a_decimal_is_written_in_plain_notation(value: str, text: str) -> None:
    assert canonical(d(value)) == text


def test_sums_of_the_widest_figures_lose_no_digit() -> None:
    wide, narrow = times(d("1000000000.123456789"), d("1000000.0001")), d("0.0000000001")
    assert minus(plus(wide, narrow), wide) == narrow
