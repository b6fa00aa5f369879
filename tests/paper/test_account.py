"""Cash and positions are identities, to the last digit."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.paper.account import Account, Position, Trade, valuation

trades = st.lists(
    st.tuples(
        st.integers(-500, 500).filter(bool).map(Decimal),
        st.integers(1, 20_000).map(lambda c: Decimal(c) / 100),
    ),
    max_size=25,
)


def account_after(booked: list[tuple[Decimal, Decimal]]) -> Account:
    account = Account("PA1", Decimal(100_000))
    for number, (qty, price) in enumerate(booked):
        account.book("AAPL", Trade(execution_id=str(number), signed_qty=qty, price=price))
    return account


@given(trades)
def test_cash_and_shares_are_what_was_traded(booked: list[tuple[Decimal, Decimal]]) -> None:
    account = account_after(booked)
    assert account.cash == 100_000 - sum(qty * price for qty, price in booked)
    assert account.position("AAPL").qty == sum(qty for qty, _ in booked)


@given(trades.filter(bool), st.data())
def test_a_busted_trade_leaves_no_trace(booked: list[tuple[Decimal, Decimal]], data: st.DataObject) -> None:
    busted = data.draw(st.integers(0, len(booked) - 1))
    account = account_after(booked)
    account.unbook("AAPL", str(busted))
    never = account_after(booked[:busted] + booked[busted + 1 :])
    assert (account.cash, account.position("AAPL")) == (never.cash, never.position("AAPL"))


@given(trades.filter(bool), st.data())
def test_a_corrected_trade_is_as_if_it_had_been_right_at_once(
    booked: list[tuple[Decimal, Decimal]], data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(0, len(booked) - 1))
    qty, price = booked[wrong][0], Decimal("12.34")
    account = account_after(booked)
    account.correct("AAPL", str(wrong), Trade(execution_id="new", signed_qty=qty, price=price))
    right = account_after([*booked[:wrong], (qty, price), *booked[wrong + 1 :]])
    assert (account.cash, account.position("AAPL")) == (right.cash, right.position("AAPL"))


def test_the_average_moves_on_increases_stays_on_reductions_and_starts_anew_on_a_flip() -> None:
    position = Position().traded(Decimal(100), Decimal(10)).traded(Decimal(100), Decimal(12))
    assert (position.qty, position.avg_entry_price) == (200, 11)
    position = position.traded(Decimal(-150), Decimal(20))
    assert (position.qty, position.avg_entry_price) == (50, 11)
    position = position.traded(Decimal(-80), Decimal(9))
    assert (position.qty, position.avg_entry_price) == (-30, 9)
    assert position.traded(Decimal(30), Decimal(5)) == Position()


def test_a_split_keeps_the_cost_of_a_position() -> None:
    account = account_after([(Decimal(10), Decimal(90))])
    account.split("AAPL", Decimal(2))
    account.book("AAPL", Trade(execution_id="after", signed_qty=Decimal(20), price=Decimal(55)))
    assert account.position("AAPL") == Position(qty=Decimal(40), avg_entry_price=Decimal(50))


@given(trades, st.integers(1, 20_000))
def test_equity_is_cash_plus_the_value_of_what_is_held(
    booked: list[tuple[Decimal, Decimal]], mark: int
) -> None:
    account = account_after(booked)
    worth = valuation(account, {"AAPL": Decimal(mark)}, Decimal(0), 2)
    assert worth.equity == account.cash + account.position("AAPL").qty * mark
