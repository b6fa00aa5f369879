"""The control plane: how a test moves prices, forces steps, arms faults and asks for the truth."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from datetime import datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.paper.answers import Handler, answer
from gateway.paper.assets import ListingTerms, asset_json, find_symbol
from gateway.paper.control_messages import (
    Advance,
    ClockMode,
    Configuration,
    DividendOrder,
    Endowment,
    FeedChoice,
    Halt,
    Patience,
    Price,
    Print,
    Revision,
    SplitOrder,
    Step,
    Transfer,
    read_as,
)
from gateway.paper.disturbances import Disturbances, Work
from gateway.paper.errors import forbidden, invalid, not_found, order_not_found, unprocessable
from gateway.paper.facts import ClockSet, Endowed, Funded, Halted, Listed, Quoted
from gateway.paper.house import House, Opening
from gateway.paper.kernel import Kernel, asked_qty
from gateway.paper.notation import read_moment, stamp
from gateway.paper.orders import ZERO, Order, order_json
from gateway.paper.terms import read_ticket
from gateway.paper.ticket import read_body
from gateway.paper.truth import truth


class Control:
    """Answers only to this machine; never recorded, never struck by faults."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, Work]] = [
            ("POST", "reset", self.reset),
            ("GET", "config", self.config),
            ("PUT", "config", self.configure),
            ("GET", "clock", self.clock),
            ("POST", "clock", self.set_clock),
            ("POST", "clock/advance", self.advance),
            ("POST", "prices", self.prices),
            ("POST", "trade", self.trade),
            ("POST", "feed", self.feed),
            ("POST", "halt", self.halt),
            ("PUT", "assets/{symbol}", self.relist),
            ("POST", "split", self.split),
            ("POST", "dividend", self.dividend),
            ("POST", "transfer", self.transfer),
            ("POST", "account", self.endow),
            ("POST", "orders/{order_id}/{step}", self.step),
            ("POST", "foreign_order", self.foreign_order),
            ("POST", "executions/{execution_id}/bust", self.bust),
            ("POST", "executions/{execution_id}/correct", self.correct),
            ("GET", "requests", self.requests),
            ("GET", "events", self.events),
            ("GET", "truth", self.truth),
            ("GET", "journal", self.journal),
        ]
        table += Disturbances(self._house).table()
        routes = [Route(f"/_ctl/{path}", self._local(work), methods=[method]) for method, path, work in table]
        return [*routes, Route("/_ctl/quiesce", self.quiesce, methods=["POST"])]

    def _local(self, work: Work) -> Handler:
        async def handle(request: Request) -> Response:
            _check_loopback(request)
            return answer(work(request, await request.body()))

        return handle

    @property
    def _kernel(self) -> Kernel:
        return self._house.kernel

    # The house.

    def reset(self, request: Request, body: bytes) -> object:
        """Begin another world; what is not named is as the house was first opened."""
        opening = msgspec.to_builtins(self._house.opening) | read_as(body, dict[str, object])
        try:
            self._house.reset(msgspec.convert(opening, Opening, strict=False))
        except msgspec.ValidationError as error:
            raise invalid(str(error)) from None
        return {"seed": self._kernel.opened.seed, "source": self._kernel.world.fed.source}

    def feed(self, request: Request, body: bytes) -> object:
        """Go on with other prices; orders, positions and cash stay."""
        asked = read_as(body, FeedChoice)
        self._house.feed_from(asked.source, asked.speed)
        return {"source": self._kernel.world.fed.source, "speed": asked.speed}

    def config(self, request: Request, body: bytes) -> object:
        keys = [{"key_id": key.key_id, "account": key.account} for key in self._house.keys.all]
        return {**msgspec.to_builtins(self._kernel.rules), "keys": keys}

    def configure(self, request: Request, body: bytes) -> object:
        asked = read_as(body, Configuration)
        changes = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None}
        if keys := changes.pop("keys", None):
            self._house.keys.replace(keys)
        self._kernel.rule(**changes)
        return self.config(request, body)

    def journal(self, request: Request, body: bytes) -> object:
        return [msgspec.json.decode(line) for line in self._house.journal.text().splitlines()]

    # Time.

    def clock(self, request: Request, body: bytes) -> object:
        clock = self._kernel.clock
        now = clock.now()
        is_open = self._kernel.session.is_open(now)
        return {"mode": clock.mode, "speed": clock.speed, "now": stamp(now), "is_open": is_open}

    def set_clock(self, request: Request, body: bytes) -> object:
        asked = read_as(body, ClockMode)
        now = asked.now or self._kernel.clock.now()
        with self._kernel.turn():
            self._kernel.clock.set(asked.mode, now=now, speed=asked.speed)
            self._kernel.record(ClockSet(at=now, mode=asked.mode, now=now, speed=asked.speed))
        self._house.back_office.close_days()
        self._house.wake()
        return self.clock(request, body)

    def advance(self, request: Request, body: bytes) -> object:
        """Everything due on the way happens, in order, before the answer."""
        asked, clock, session = read_as(body, Advance), self._kernel.clock, self._kernel.session
        if clock.mode != "manual":
            raise unprocessable("only a manual clock can be advanced")
        now = clock.now()
        if asked.seconds is not None:
            then = now + timedelta(seconds=asked.seconds)
        elif asked.to in {"open", "next_open"}:
            then = session.next_open(now)
        elif asked.to == "close":
            then = session.next_close(now)
        else:
            then = _moment(asked.to or "")
        self._kernel.run_due(then)
        with self._kernel.turn():
            self._kernel.record(ClockSet(at=then, mode="manual", now=then))
        return self.clock(request, body)

    # Prices.

    def prices(self, request: Request, body: bytes) -> object:
        for symbol, price in read_as(body, dict[str, Price]).items():
            last = price.last if price.last is not None else (price.bid + price.ask) / 2
            fact = Quoted(
                at=self._kernel.clock.now(),
                symbol=_known_symbol(symbol),
                bid=price.bid,
                ask=price.ask,
                bid_size=price.bid_size,
                ask_size=price.ask_size,
                last=last,
                quoted_at=price.at,
            )
            self._house.set_price(fact, price.last_size)
        return {}

    def trade(self, request: Request, body: bytes) -> object:
        """Print one trade and leave the quote alone."""
        printed = read_as(body, Print)
        quote = self._kernel.world.books[_known_symbol(printed.symbol)].quote
        fact = Quoted(
            at=self._kernel.clock.now(),
            symbol=printed.symbol,
            bid=quote.bid if quote else ZERO,
            ask=quote.ask if quote else ZERO,
            bid_size=quote.bid_size if quote else ZERO,
            ask_size=quote.ask_size if quote else ZERO,
            last=printed.price,
            quoted_at=quote.at if quote else None,
        )
        self._house.set_price(fact, printed.size)
        return {}

    def halt(self, request: Request, body: bytes) -> object:
        asked = read_as(body, Halt)
        with self._kernel.turn():
            fact = Halted(at=self._kernel.clock.now(), symbol=_known_symbol(asked.symbol), on=asked.on)
            self._kernel.record(fact)
        return {"symbol": asked.symbol, "halted": asked.on}

    def relist(self, request: Request, body: bytes) -> object:
        """Change what may be done with a symbol; what is not named stays."""
        symbol = _known_symbol(request.path_params["symbol"])
        listing = msgspec.to_builtins(self._kernel.world.listings[symbol]) | read_as(body, dict[str, object])
        try:
            terms = msgspec.convert(listing, ListingTerms, strict=False)
        except msgspec.ValidationError as error:
            raise invalid(str(error)) from None
        with self._kernel.turn():
            self._kernel.record(Listed(at=self._kernel.clock.now(), symbol=symbol, terms=terms))
        return asset_json(symbol, terms)

    def split(self, request: Request, body: bytes) -> object:
        asked = read_as(body, SplitOrder)
        if asked.ratio <= 0:
            raise invalid("ratio must be positive")
        symbol, mark = _known_symbol(asked.symbol), f"hand/{self._kernel.world.facts}"
        self._house.back_office.split(symbol, asked.ratio, mark, orders=asked.orders)
        return {}

    def dividend(self, request: Request, body: bytes) -> object:
        asked = read_as(body, DividendOrder)
        if asked.amount <= 0:
            raise invalid("amount must be positive")
        symbol, mark = _known_symbol(asked.symbol), f"hand/{self._kernel.world.facts}"
        self._house.back_office.dividend(symbol, asked.amount, mark)
        return {}

    def transfer(self, request: Request, body: bytes) -> object:
        """Money or shares in or out, as entered in the broker's app."""
        asked = read_as(body, Transfer)
        account = asked.account or self._house.keys.first_account
        if asked.amount and asked.symbol is None:
            self._house.back_office.transfer_cash(account, asked.amount)
        elif asked.symbol and asked.qty and asked.price is not None and asked.amount is None:
            symbol = _known_symbol(asked.symbol)
            self._house.back_office.transfer_shares(account, symbol, asked.qty, asked.price)
        else:
            raise invalid("either amount, or symbol, qty and price")
        return {}

    def endow(self, request: Request, body: bytes) -> object:
        """Set an account's cash and put positions into it."""
        asked, now = read_as(body, Endowment), self._kernel.clock.now()
        account = asked.account or self._house.keys.first_account
        with self._kernel.turn():
            if asked.cash is not None:
                self._kernel.record(Funded(at=now, account=account, cash=asked.cash))
            for symbol, held in asked.positions.items():
                fact = Endowed(
                    at=now, account=account, symbol=_known_symbol(symbol), qty=held.qty, price=held.price
                )
                self._kernel.record(fact)
        return {}

    # Orders and executions.

    def step(self, request: Request, body: bytes) -> object:
        """Force one step of one order, whatever the market says."""
        order = self._kernel.world.orders.get(request.path_params["order_id"])
        if order is None:
            raise order_not_found(request.path_params["order_id"])
        asked, step = read_as(body, Step), request.path_params["step"]
        with self._kernel.turn():
            self._force(order, step, asked)
        return order_json(self._kernel.world.orders[order.id])

    def _force(self, order: Order, step: str, asked: Step) -> None:
        kernel = self._kernel
        match step:
            case "accept":
                self._house.exchange.acknowledge(order.id)
            case "fill":
                price = asked.price or kernel.fair_price(order)
                kernel.execute(order.id, asked_qty(asked.qty, order.qty - order.filled_qty), price, "forced")
            case "cancel":
                kernel.end(order.id, "canceled", reason=asked.reason)
            case "reject":
                kernel.end(order.id, "rejected", reason=asked.reason)
            case "expire":
                kernel.end(order.id, "expired", reason=asked.reason)
            case "cancel_reject":
                kernel.restore(order.id, "order_cancel_rejected", asked.reason or "TOO_LATE_TO_CANCEL")
            case "replace_reject":
                kernel.restore(order.id, "order_replace_rejected", asked.reason or "TOO_LATE_TO_REPLACE")
            case "suspend":
                kernel.move(order.id, "suspended", "suspended", reason=asked.reason)
            case "done_for_day":
                kernel.move(order.id, "done_for_day", "done_for_day", reason=asked.reason)
            case "restate":
                kernel.restate(order.id, qty=asked.qty, price=asked.price, reason=asked.reason)
            case _:
                raise not_found(f"no step {step}")

    def foreign_order(self, request: Request, body: bytes) -> object:
        """An order nobody in the gateway sent, as from the broker's own screens."""
        fields = read_body(body)
        account = str(fields.pop("account", self._house.keys.first_account))
        return order_json(self._house.exchange.submit(account, read_ticket(fields)))

    def bust(self, request: Request, body: bytes) -> object:
        execution_id, asked = self._live_execution(request), read_as(body, Revision)
        with self._kernel.turn():
            self._kernel.bust(execution_id, negative_qty=asked.negative_qty)
        return {"busted_by": self._kernel.world.executions[execution_id].busted_by}

    def correct(self, request: Request, body: bytes) -> object:
        execution_id, asked = self._live_execution(request), read_as(body, Revision)
        old = self._kernel.world.executions[execution_id]
        with self._kernel.turn():
            self._kernel.correct(execution_id, asked.qty or old.qty, asked.price or old.price)
        return {"corrected_by": self._kernel.world.executions[execution_id].busted_by}

    def _live_execution(self, request: Request) -> str:
        execution_id = str(request.path_params["execution_id"])
        execution = self._kernel.world.executions.get(execution_id)
        if execution is None or not execution.is_live:
            raise not_found(f"no live execution {execution_id}")
        return execution_id

    # What happened.

    def requests(self, request: Request, body: bytes) -> object:
        return self._house.requests.after(_after(request))

    def events(self, request: Request, body: bytes) -> object:
        return self._house.hub.events_after(_after(request))

    def truth(self, request: Request, body: bytes) -> object:
        return truth(self._kernel.world, [key.account for key in self._house.keys.all])

    async def quiesce(self, request: Request) -> Response:
        """Wait until no request is in hand, nothing delayed is due soon and every frame has left."""
        _check_loopback(request)
        deadline = time.monotonic() + read_as(await request.body(), Patience).timeout_s
        # What it waits for has no single event.
        while time.monotonic() < deadline and not self._house.is_quiet:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        quiet = self._house.is_quiet
        return answer({"quiet": quiet}, 200 if quiet else 504)


def _known_symbol(symbol: str) -> str:
    if find_symbol(symbol) != symbol:
        raise not_found(f"asset not found for {symbol}")
    return symbol


def _after(request: Request) -> int:
    try:
        return int(request.query_params.get("after", "0"))
    except ValueError:
        raise invalid("invalid after") from None


def _moment(text: str) -> datetime:
    try:
        return read_moment(text)
    except ValueError:
        raise invalid("invalid to") from None


def _check_loopback(request: Request) -> None:
    host = request.client.host if request.client else ""
    if not ipaddress.ip_address(host).is_loopback:
        raise forbidden("the control plane answers to this machine only")
