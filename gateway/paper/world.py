"""The state of the exchange: a fold of its facts, so that a restart is a replay."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import assert_never

import msgspec

from gateway.paper.account import Account, Trade
from gateway.paper.assets import ListingTerms
from gateway.paper.book import Book, Quote
from gateway.paper.facts import (
    Accepted,
    AnyFact,
    ClockSet,
    Corrected,
    DayClosed,
    Dividend,
    Elected,
    Endowed,
    Executed,
    Fed,
    Funded,
    Halted,
    Listed,
    Moved,
    Opened,
    Posted,
    Quoted,
    Restated,
    Ruled,
    Split,
    Trailed,
    Undone,
)
from gateway.paper.orders import STAMPED, TERMINAL, ZERO, Order, shares_for
from gateway.paper.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One trade of one order and how the order stood right after it."""

    id: str
    order_id: str
    account: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: datetime
    cum_qty: Decimal
    leaves_qty: Decimal
    """Of the quantity ordered, even when the order is over."""
    order_status: str
    busted_by: str | None = None
    replaces: str | None = None
    in_burst: bool = False
    """One of several in the same millisecond."""

    @property
    def is_live(self) -> bool:
        return self.busted_by is None

    @property
    def signed_qty(self) -> Decimal:
        return self.qty if self.side == "buy" else -self.qty


class World:
    def __init__(self) -> None:
        self.opened: Opened | None = None
        self.rules = Rules()
        self.clock: ClockSet | None = None
        self.fed = Fed(at=datetime.min.replace(tzinfo=UTC), source="manual", speed=60)
        self.orders: dict[str, Order] = {}
        self.live: dict[str, None] = {}
        """Ids of live orders in the order of acceptance."""
        self.by_client_id: dict[tuple[str, str], str] = {}
        self.groups: dict[str, list[str]] = {}
        """Ids of the orders that belong together, by the id of their first parent."""
        self.executions: dict[str, Execution] = {}
        self.books: dict[str, Book] = defaultdict(Book)
        self.listings: dict[str, ListingTerms] = defaultdict(ListingTerms)
        self.accounts: dict[str, Account] = {}
        self.posted: list[Posted] = []
        self.occasions: set[str] = set()
        """Marks of the splits and dividends that have taken place."""
        self.closed_day = date.min
        self.facts = 0

    def account(self, account_id: str) -> Account:
        if account_id not in self.accounts:
            cash = self.opened.cash if self.opened else ZERO
            self.accounts[account_id] = Account(account_id, cash)
        return self.accounts[account_id]

    def live_orders(self, account_id: str, symbol: str | None = None) -> list[Order]:
        orders = (self.orders[order_id] for order_id in self.live)
        return [o for o in orders if o.account == account_id and symbol in (None, o.symbol)]

    def group(self, order: Order) -> list[Order]:
        """The order and whatever belongs to it, in the order of acceptance; nothing for a simple order."""
        return [self.orders[order_id] for order_id in self.groups.get(order.group or "", ())]

    def legs(self, order: Order) -> list[Order]:
        """What is rolled up under a parent: each leg as it was last replaced."""
        if order.is_leg:
            return []
        return [leg for leg in self.group(order) if leg.is_leg and leg.status != "replaced"]

    def marks(self) -> dict[str, Decimal]:
        return {symbol: book.last for symbol, book in self.books.items() if book.last is not None}

    def apply(self, fact: AnyFact) -> None:
        self.facts += 1
        match fact:
            case Opened():
                self.opened = fact
            case Accepted(order=order):
                self.by_client_id[order.account, order.client_order_id] = order.id
                if order.group:
                    self.groups.setdefault(order.group, []).append(order.id)
                self._keep(order)
            case Moved():
                self._keep(_moved(self.orders[fact.order_id], fact))
            case Elected():
                order = self.orders[fact.order_id]
                self._keep(_change(order, fact.at, elected=True, protection=fact.protection))
            case Trailed():
                order = self.orders[fact.order_id]
                self._keep(_change(order, fact.at, hwm=fact.hwm, stop_price=fact.stop_price))
            case Executed():
                self._execute(fact)
            case Undone() | Corrected():
                self._revise(fact)
            case Restated():
                self._keep(_restated(self.orders[fact.order_id], fact))
            case Quoted():
                self._quote(fact)
            case Halted():
                self.books[fact.symbol].halted = fact.on
            case Listed():
                self.listings[fact.symbol] = fact.terms
            case Funded():
                self.account(fact.account).cash = fact.cash
            case Endowed():
                self._endow(fact)
            case Split():
                self._split(fact)
            case Dividend():
                self.occasions.add(fact.mark)
            case DayClosed():
                self.closed_day = fact.day
            case Posted():
                self._post(fact)
            case ClockSet():
                self.clock = fact
            case Fed():
                self.fed = fact
            case Ruled():
                self.rules = fact.rules
            case _:
                assert_never(fact)

    def _endow(self, fact: Endowed) -> None:
        trade = Trade(execution_id="", signed_qty=fact.qty, price=fact.price)
        self.account(fact.account).book(fact.symbol, trade, paid=False)

    def _post(self, fact: Posted) -> None:
        self.posted.append(fact)
        self.account(fact.account).cash += fact.net_amount

    def _split(self, fact: Split) -> None:
        self.occasions.add(fact.mark)
        for account in self.accounts.values():
            account.split(fact.symbol, fact.ratio)
        self.books[fact.symbol].split(fact.ratio)

    def _keep(self, order: Order) -> None:
        self.orders[order.id] = order
        self.books[order.symbol].put(order)
        if order.is_live:
            self.live[order.id] = None
        else:
            self.live.pop(order.id, None)

    def _execute(self, fact: Executed) -> None:
        order = _filled(self.orders[fact.order_id], fact)
        self._keep(order)
        self._remember(fact, order, at=fact.at)
        trade = Trade(execution_id=fact.execution_id, signed_qty=fact.qty * order.sign, price=fact.price)
        self.account(order.account).book(order.symbol, trade)
        book = self.books[order.symbol]
        if fact.against != "forced":
            book.last = fact.price
        if fact.against == "quote" and book.quote:
            book.quote = book.quote.taken(order.side, fact.qty)

    def _remember(
        self, fact: Executed | Corrected, order: Order, *, at: datetime, replaces: str | None = None
    ) -> None:
        self.executions[fact.execution_id] = Execution(
            id=fact.execution_id,
            order_id=order.id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            qty=fact.qty,
            price=fact.price,
            at=at,
            cum_qty=order.filled_qty,
            leaves_qty=max(order.qty - order.filled_qty, ZERO),
            order_status=order.status,
            replaces=replaces,
            in_burst=isinstance(fact, Executed) and fact.in_burst,
        )

    def _revise(self, fact: Undone | Corrected) -> None:
        old = self.executions[fact.previous]
        self.executions[old.id] = replace(old, busted_by=fact.execution_id)
        qty, price = (fact.qty, fact.price) if isinstance(fact, Corrected) else (ZERO, ZERO)
        order = self.orders[old.order_id]
        order = _change(
            order,
            fact.at,
            filled_qty=order.filled_qty - old.qty + qty,
            filled_value=order.filled_value - old.qty * old.price + qty * price,
        )
        self._keep(order)
        account = self.account(order.account)
        if isinstance(fact, Undone):
            account.unbook(order.symbol, old.id)
            return
        trade = Trade(execution_id=fact.execution_id, signed_qty=qty * order.sign, price=price)
        account.correct(order.symbol, old.id, trade)
        self._remember(fact, order, at=old.at, replaces=old.id)

    def _quote(self, fact: Quoted) -> None:
        book = self.books[fact.symbol]
        book.last = fact.last
        book.quote = Quote(
            bid=fact.bid,
            ask=fact.ask,
            bid_size=fact.bid_size,
            ask_size=fact.ask_size,
            at=fact.quoted_at,
        )


def _change(order: Order, at: datetime, **changes: object) -> Order:
    return msgspec.structs.replace(order, updated_at=at, **changes)


def _restated(order: Order, fact: Restated) -> Order:
    prices = {"limit_price": fact.limit_price, "stop_price": fact.stop_price}
    changed = {name: price for name, price in prices.items() if price is not None}
    return _change(order, fact.at, qty=fact.qty, **changed)


def _moved(order: Order, fact: Moved) -> Order:
    changes: dict[str, object] = {"status": fact.status}
    if fact.status.startswith("pending_") and not order.status.startswith("pending_"):
        changes["status_before"] = order.status
    if fact.status in STAMPED and fact.status != order.status:
        changes[STAMPED[fact.status]] = fact.at
    if fact.replaced_by:
        changes["replaced_by"] = fact.replaced_by
    return _change(order, fact.at, **changes)


def _filled(order: Order, fact: Executed) -> Order:
    filled_qty, filled_value = order.filled_qty + fact.qty, order.filled_value + fact.qty * fact.price
    qty = order.qty
    if order.notional is not None:
        qty = filled_qty + shares_for(order.notional - filled_value, fact.price)
    changes: dict[str, object] = {"qty": qty, "filled_qty": filled_qty, "filled_value": filled_value}
    if filled_qty >= qty and order.status not in TERMINAL:
        changes |= {"status": "filled", "filled_at": fact.at}
    elif order.status in {"pending_cancel", "pending_replace"}:
        changes["status_before"] = "partially_filled"
    elif order.is_live:
        changes["status"] = "partially_filled"
    return _change(order, fact.at, **changes)
