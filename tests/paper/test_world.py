"""Whatever happens on the exchange, its books agree, and its journal alone gives them back."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.paper.admission import held_for_orders
from gateway.paper.clock import wall
from gateway.paper.errors import Refusal
from gateway.paper.exchange import Exchange
from gateway.paper.facts import Fed, Opened, Quoted
from gateway.paper.journal import Journal
from gateway.paper.kernel import Kernel
from gateway.paper.orders import Side
from gateway.paper.ticket import Change, StopLoss, Ticket
from gateway.paper.truth import truth
from gateway.paper.world import World

ACCOUNTS = ["PA1", "PA2"]
CASH = Decimal(100_000)

prices = st.integers(990, 1010).map(lambda cents: Decimal(cents) / 100)
sizes = st.integers(1, 300).map(Decimal)
picks = st.integers(0, 30)
sides: st.SearchStrategy[Side] = st.sampled_from(("buy", "sell"))
tickets = st.builds(
    Ticket,
    symbol=st.just("AAPL"),
    side=sides,
    type=st.just("limit"),
    time_in_force=st.sampled_from(("day", "gtc", "ioc", "fok")),
    qty=sizes,
    limit_price=prices,
) | st.builds(
    Ticket,
    symbol=st.just("AAPL"),
    side=sides,
    type=st.just("market"),
    time_in_force=st.just("day"),
    qty=sizes,
)
stops = st.builds(
    Ticket,
    symbol=st.just("AAPL"),
    side=sides,
    type=st.sampled_from(("stop", "trailing_stop")),
    time_in_force=st.just("gtc"),
    qty=sizes,
    stop_price=prices,
    trail_price=st.integers(1, 10).map(lambda cents: Decimal(cents) / 100),
).map(lambda t: replace(t, stop_price=None) if t.type == "trailing_stop" else replace(t, trail_price=None))
sums = st.builds(
    Ticket,
    symbol=st.just("AAPL"),
    side=st.just("buy"),
    type=st.just("limit"),
    time_in_force=st.just("day"),
    qty=st.just(Decimal(0)),
    notional=st.integers(100, 300_000).map(lambda cents: Decimal(cents) / 100),
    limit_price=prices,
)


@st.composite
def families(draw: st.DrawFn) -> Ticket:
    """A bracket, a pair of exits or an entry with one exit, each on the right side of its price."""
    side, order_class = draw(sides), draw(st.sampled_from(("bracket", "oco", "oto")))
    base, far = draw(prices), draw(st.integers(1, 10)) * Decimal("0.01")
    gain = far if (side == "buy") != (order_class == "oco") else -far
    return Ticket(
        symbol="AAPL",
        side=side,
        type="limit",
        time_in_force="gtc",
        qty=draw(sizes),
        limit_price=base,
        order_class=order_class,
        take_profit=base + gain if order_class == "bracket" else None,
        stop_loss=StopLoss(stop_price=base - gain),
    )


tickets = tickets | stops | sums | families()
actions = st.one_of(
    st.tuples(st.just("quote"), prices, st.integers(0, 400).map(Decimal)),
    st.tuples(st.just("submit"), st.sampled_from(ACCOUNTS), tickets),
    st.tuples(st.just("submit"), st.sampled_from(ACCOUNTS), tickets),
    st.tuples(st.just("cancel"), picks, st.none()),
    st.tuples(st.just("replace"), picks, prices),
)
revisions = st.one_of(
    st.tuples(st.just("bust"), picks, st.none()),
    st.tuples(st.just("correct"), picks, prices),
)


def open_exchange(directory: Path) -> Exchange:
    opening = Opened(at=wall(), seed=7, cash=CASH)
    return Exchange(Kernel(Journal(directory), opening, Fed(at=wall(), source="manual", speed=60)))


def act(exchange: Exchange, action: tuple[str, object, object]) -> None:
    world, kernel = exchange.world, exchange.kernel
    match action:
        case ("quote", Decimal() as bid, Decimal() as size):
            fact = Quoted(
                at=wall(),
                symbol="AAPL",
                bid=bid,
                ask=bid + Decimal("0.02"),
                bid_size=size,
                ask_size=size,
                last=bid + Decimal("0.01"),
            )
            exchange.floor.quote(fact, size=size)
        case ("submit", str(account), Ticket() as ticket):
            exchange.submit(account, ticket)
        case ("cancel", int(pick), _) if world.live:
            order = world.orders[list(world.live)[pick % len(world.live)]]
            exchange.cancel(order.account, order.id)
        case ("replace", int(pick), Decimal() as price) if world.live:
            order = world.orders[list(world.live)[pick % len(world.live)]]
            exchange.replace(order.account, order.id, Change(limit_price=price))
        case ("bust" | "correct" as kind, int(pick), price):
            live = [e for e in world.executions.values() if e.is_live]
            with kernel.turn():
                if live and kind == "bust":
                    kernel.bust(live[pick % len(live)].id)
                elif live and isinstance(price, Decimal):
                    old = live[pick % len(live)]
                    kernel.correct(old.id, old.qty, price)


def check(world: World) -> None:
    live = [e for e in world.executions.values() if e.is_live]
    for order in world.orders.values():
        mine = [e for e in live if e.order_id == order.id]
        assert sum(e.qty for e in mine) == order.filled_qty <= order.qty
        assert sum(e.qty * e.price for e in mine) == order.filled_value
    for account in ACCOUNTS:
        mine = [e for e in live if e.account == account]
        assert world.account(account).cash == CASH - sum(e.signed_qty * e.price for e in mine)
        assert world.account(account).position("AAPL").qty == sum(e.signed_qty for e in mine)
    for order in (world.orders[order_id] for order_id in world.live):
        outside = world.books["AAPL"].outside(order)
        assert not (outside and outside.qty and order.is_working), "an order rests although it could trade"


@settings(max_examples=60, deadline=None)
@given(st.lists(actions | revisions, max_size=30))
def test_books_agree_after_every_step_and_after_a_replay(steps: list[tuple[str, object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        exchange = open_exchange(Path(folder))
        for step in steps:
            with suppress(Refusal):
                act(exchange, step)
            check(exchange.world)
        again = open_exchange(Path(folder))
        assert truth(again.world, ACCOUNTS) == truth(exchange.world, ACCOUNTS)
        book, replayed = exchange.world.books["AAPL"], again.world.books["AAPL"]
        assert replayed.quote == book.quote
        assert [replayed.queue(side) for side in ("buy", "sell")] == [book.queue(s) for s in ("buy", "sell")]
        for opened in (exchange, again):
            opened.kernel.journal.close()


def check_exits(world: World) -> None:
    """Exits close at most what their entries have opened, and nobody promises shares twice."""
    for members in ([world.orders[i] for i in ids] for ids in world.groups.values()):
        exits = [order for order in members if order.is_exit]
        entries = [order for order in members if not order.is_exit]
        left = sum(order.filled_qty for order in entries) - sum(order.filled_qty for order in exits)
        assert not entries or left >= 0
        assert not entries or all(order.leaves <= left for order in exits if order.status != "held")
    for account in ACCOUNTS:
        live = world.live_orders(account, "AAPL")
        assert held_for_orders(live) <= abs(world.account(account).position("AAPL").qty)


@settings(max_examples=100, deadline=None)
@given(st.lists(actions, max_size=30))
def test_exits_never_close_more_than_was_opened(steps: list[tuple[str, object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        exchange = open_exchange(Path(folder))
        for step in steps:
            with suppress(Refusal):
                act(exchange, step)
            check_exits(exchange.world)
        exchange.kernel.journal.close()
