"""Price-time priority, on the book alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.paper.book import Book, Cross, Quote
from gateway.paper.orders import Order, Side

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)


def order(number: int, side: Side, limit: str | None, qty: int, account: str = "maker") -> Order:
    return Order(
        id=f"order-{number}",
        account=account,
        client_order_id=f"client-{number}",
        symbol="AAPL",
        side=side,
        type="market" if limit is None else "limit",
        time_in_force="day",
        qty=Decimal(qty),
        limit_price=None if limit is None else Decimal(limit),
        position_intent=f"{side}_to_open",
        created_at=NOON,
        updated_at=NOON,
        expires_at=NOON,
        rank=number,
        status="new",
    )


def quote(bid: str, ask: str, size: int) -> Quote:
    return Quote(bid=Decimal(bid), ask=Decimal(ask), bid_size=Decimal(size), ask_size=Decimal(size))


def meet(taker: Order, *makers: Order, outside: Quote | None = None) -> list[Cross]:
    book = Book()
    book.quote = outside
    for maker in makers:
        book.put(maker)
    return list(book.crosses(taker, {maker.id: maker for maker in makers}))


def test_the_better_price_comes_first_and_then_the_older_order() -> None:
    makers = [order(1, "sell", "10.02", 10), order(2, "sell", "10.01", 10), order(3, "sell", "10.01", 10)]
    crosses = meet(order(9, "buy", "10.02", 25, "taker"), *makers)
    assert [(c.maker, c.qty) for c in crosses] == [("order-2", 10), ("order-3", 10), ("order-1", 5)]


def test_an_order_of_another_account_goes_before_the_quote_at_the_same_price() -> None:
    crosses = meet(
        order(9, "buy", None, 30, "taker"), order(1, "sell", "10", 10), outside=quote("9.98", "10", 100)
    )
    assert [(c.maker, c.qty) for c in crosses] == [("order-1", 10), (None, 20)]


def test_a_better_quote_goes_before_an_order() -> None:
    crosses = meet(
        order(9, "sell", "9", 30, "taker"), order(1, "buy", "10", 10), outside=quote("10.01", "10.03", 15)
    )
    assert [(c.maker, c.price, c.qty) for c in crosses] == [
        (None, Decimal("10.01"), 15),
        ("order-1", Decimal(10), 10),
    ]


def test_nobody_trades_with_himself_or_with_an_order_without_a_price() -> None:
    own, priceless = order(1, "sell", "10", 10, "taker"), order(2, "sell", None, 10)
    assert meet(order(9, "buy", "11", 10, "taker"), own, priceless) == []


def test_an_order_that_is_over_or_not_yet_at_the_venue_is_not_in_the_book() -> None:
    book = Book()
    resting = order(1, "sell", "10", 10)
    book.put(resting)
    assert book.queue("sell") == ("order-1",)
    for status in ("pending_new", "canceled"):
        book.put(_with_status(resting, status))
        assert book.queue("sell") == ()


def _with_status(resting: Order, status: str) -> Order:
    fields = {name: getattr(resting, name) for name in resting.__struct_fields__}
    return Order(**{**fields, "status": status})


prices = st.integers(950, 1050).map(lambda cents: str(Decimal(cents) / 100))
makers = st.lists(st.tuples(prices, st.integers(1, 50)), max_size=8)
quotes = st.none() | st.tuples(prices, st.integers(0, 60))


@given(makers=makers, limit=st.none() | prices, qty=st.integers(1, 200), outside=quotes)
def test_a_taker_gets_the_best_prices_there_are_and_never_more_than_anyone_offers(
    makers: list[tuple[str, int]], limit: str | None, qty: int, outside: tuple[str, int] | None
) -> None:
    offers = [order(number, "sell", price, size) for number, (price, size) in enumerate(makers)]
    top = quote("0.01", *outside) if outside else None
    taker = order(99, "buy", limit, qty, "taker")
    crosses = meet(taker, *offers, outside=top)

    cap = Decimal(limit) if limit else Decimal("Infinity")
    levels = [(o.limit_price, 0, o.rank, o.qty) for o in offers if o.limit_price is not None]
    if outside:
        levels.append((Decimal(outside[0]), 1, 0, Decimal(outside[1])))
    expected, leaves = [], Decimal(qty)
    for price, _, _, size in sorted(levels):
        if price <= cap and min(size, leaves):
            expected.append((price, min(size, leaves)))
            leaves -= min(size, leaves)
    assert [(c.price, c.qty) for c in crosses] == expected


@given(
    st.lists(st.tuples(st.booleans(), prices, st.integers(1, 50)), max_size=20), st.sets(st.integers(0, 19))
)
def test_the_queue_is_sorted_by_price_and_age_whatever_is_canceled(
    orders: list[tuple[bool, str, int]], canceled: set[int]
) -> None:
    book = Book()
    placed = {
        f"order-{n}": order(n, "buy" if buying else "sell", price, qty)
        for n, (buying, price, qty) in enumerate(orders)
    }
    for resting in placed.values():
        book.put(resting)
    for number in canceled:
        if resting := placed.pop(f"order-{number}", None):
            book.put(_with_status(resting, "canceled"))

    def priority(resting: Order) -> tuple[Decimal, int]:
        price = resting.limit_price or Decimal(0)
        return (-price if resting.side == "buy" else price), resting.rank

    for side in ("buy", "sell"):
        expected = sorted((o for o in placed.values() if o.side == side), key=priority)
        assert book.queue(side) == tuple(o.id for o in expected)
