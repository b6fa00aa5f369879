"""The trading API: orders, positions, account, clock, calendar, assets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN
from typing import Final
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.paper.activities import list_activities
from gateway.paper.answers import answer, no_content
from gateway.paper.assets import ASSETS, asset_json, find_symbol, known_symbol
from gateway.paper.clock import ROUND_THE_CLOCK, following_day, trading_day
from gateway.paper.errors import Refusal, invalid, order_not_found, unauthorized
from gateway.paper.exchange import Exchange
from gateway.paper.house import House
from gateway.paper.notation import new_york, read_date, read_moment
from gateway.paper.orders import Order, Side, order_json
from gateway.paper.portfolio import account_json, configurations_json, position_json, positions_json
from gateway.paper.terms import QTY_STEP, read_ticket
from gateway.paper.ticket import Body, Ticket, positive, read_body, read_change, read_configuration
from gateway.paper.world import World

DEFAULT_LIMIT, MOST = 50, 500


CALENDAR_REACH: Final = timedelta(days=3660)


class TradingApi:
    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        return [
            Route("/v2/orders", self.submit, methods=["POST"]),
            Route("/v2/orders", self.orders, methods=["GET"]),
            Route("/v2/orders", self.cancel_all, methods=["DELETE"]),
            Route("/v2/orders:by_client_order_id", self.order_by_client_id, methods=["GET"]),
            Route("/v2/orders/{order_id}", self.order, methods=["GET"]),
            Route("/v2/orders/{order_id}", self.replace, methods=["PATCH"]),
            Route("/v2/orders/{order_id}", self.cancel, methods=["DELETE"]),
            Route("/v2/positions", self.positions, methods=["GET"]),
            Route("/v2/positions", self.close_positions, methods=["DELETE"]),
            Route("/v2/positions/{symbol:path}", self.position, methods=["GET"]),
            Route("/v2/positions/{symbol:path}", self.close_position, methods=["DELETE"]),
            Route("/v2/account", self.account, methods=["GET"]),
            Route("/v2/account/configurations", self.configurations, methods=["GET"]),
            Route("/v2/account/configurations", self.configure, methods=["PATCH"]),
            Route("/v2/account/activities", self.activities, methods=["GET"]),
            Route("/v2/account/activities/{kind}", self.activities, methods=["GET"]),
            Route("/v2/corporate_actions/announcements", self.announcements, methods=["GET"]),
            Route("/v2/options/contracts", self.option_contracts, methods=["GET"]),
            Route("/v2/clock", self.clock, methods=["GET"]),
            Route("/v2/calendar", self.calendar, methods=["GET"]),
            Route("/v2/assets", self.assets, methods=["GET"]),
            Route("/v2/assets/{symbol:path}", self.asset, methods=["GET"]),
        ]

    @property
    def _exchange(self) -> Exchange:
        return self._house.exchange

    @property
    def _world(self) -> World:
        return self._house.kernel.world

    def _account(self, request: Request) -> str:
        account = self._house.keys.account_of(request.headers)
        if account is None:
            raise unauthorized()
        return account

    # Orders.

    async def submit(self, request: Request) -> Response:
        account = self._account(request)
        body = read_body(await request.body())
        ticket = read_ticket(body)
        about = {"account": account, "symbol": ticket.symbol, "cid": ticket.client_order_id or ""}
        if late := self._house.kernel.faults.take("order.late_accept", **about):
            self._exchange.submit_late(account, ticket, late.delay_s)
            raise Refusal(503, 50010000, "service unavailable")
        order = await self._submit_in_turn(account, ticket, about)
        return answer(order_json(order, self._world.legs(order)))

    async def _submit_in_turn(self, account: str, ticket: Ticket, about: dict[str, str]) -> Order:
        """The stream speaks as soon as it can, unless a fault says which comes first."""
        turn = self._house.kernel.faults.take("order.response_order", **about)
        gap_s = turn.gap_ms / 1000 if turn else 0.0
        events_first = turn is None or turn.events_first
        with self._house.hub.after_the_answer(0.0 if events_first else gap_s):
            order = self._exchange.submit(account, ticket)
        if events_first:
            await asyncio.sleep(gap_s)
        return order

    async def orders(self, request: Request) -> Response:
        account = self._account(request)
        orders = (order for order in self._world.orders.values() if order.account == account)
        visible = [order for order in orders if not self._exchange.is_hidden(order, "list")]
        if is_true(request.query_params.get("nested")):
            families = [(order, self._world.legs(order)) for order in visible if not order.is_leg]
        else:
            families = [(order, []) for order in visible]
        listed = select_orders(families, request.query_params, repeats=self._repeats(request, account))
        gap = self._house.kernel.faults.take("read.list_gap", account=account)
        return answer([order_json(order, legs) for order, legs in listed[gap.n if gap else 0 :]])

    def _repeats(self, request: Request, account: str) -> bool:
        """Whether a page begins with the last item of the one before, by a fault."""
        follows = {"after", "until", "page_token"} & request.query_params.keys()
        faults = self._house.kernel.faults
        return bool(follows) and faults.take("read.page_repeat", account=account) is not None

    async def order(self, request: Request) -> Response:
        order = self._exchange.order(self._account(request), _order_id(request))
        nested = is_true(request.query_params.get("nested"))
        return self._shown(order, "id", order.id, self._world.legs(order) if nested else [])

    async def order_by_client_id(self, request: Request) -> Response:
        account = self._account(request)
        client_id = request.query_params.get("client_order_id", "")
        order_id = self._world.by_client_id.get((account, client_id))
        if order_id is None:
            raise order_not_found(client_id)
        return self._shown(self._world.orders[order_id], "cid", client_id)

    def _shown(self, order: Order, route: str, asked_for: str, legs: Sequence[Order] = ()) -> Response:
        if self._exchange.is_hidden(order, route):
            raise order_not_found(asked_for)
        return answer(order_json(order, legs))

    async def replace(self, request: Request) -> Response:
        account, order_id = self._account(request), _order_id(request)
        change = read_change(read_body(await request.body()))
        order = self._exchange.replace(account, order_id, change)
        return answer(order_json(order, self._world.legs(order)))

    async def cancel(self, request: Request) -> Response:
        self._exchange.cancel(self._account(request), _order_id(request))
        return no_content()

    async def cancel_all(self, request: Request) -> Response:
        return answer(self._cancel_all(self._account(request)), 207)

    def _cancel_all(self, account: str) -> list[dict[str, object]]:
        items: list[dict[str, object]] = []
        partial = self._house.kernel.faults.take("order.cancel_all_partial", account=account)
        for number, order in enumerate(self._world.live_orders(account)):
            if partial and number < partial.fail:
                body = {"code": 50010000, "message": "internal server error occurred"}
                items.append({"id": order.id, "status": 500, "body": body})
                continue
            try:
                if self._world.orders[order.id].is_live:  # its parent may have taken it along
                    self._exchange.cancel(account, order.id)
                items.append(
                    {"id": order.id, "status": 200, "body": order_json(self._world.orders[order.id])}
                )
            except Refusal as refusal:
                items.append({"id": order.id, "status": 500, "body": refusal.body})
        return items

    # Positions and account.

    async def positions(self, request: Request) -> Response:
        account = self._account(request)
        world = self._read_world("read.positions_lag", account)
        return answer(positions_json(world, account, self._house.market.closes()))

    async def position(self, request: Request) -> Response:
        account, symbol = self._account(request), find_symbol(request.path_params["symbol"])
        world = self._read_world("read.positions_lag", account)
        return answer(position_json(world, account, symbol, self._house.market.closes()))

    async def close_position(self, request: Request) -> Response:
        account, symbol = self._account(request), find_symbol(request.path_params["symbol"])
        position_json(self._world, account, symbol, {})
        return answer(order_json(self._close(account, symbol or "", dict(request.query_params))))

    async def close_positions(self, request: Request) -> Response:
        account = self._account(request)
        if is_true(request.query_params.get("cancel_orders")):
            self._cancel_all(account)
        items: list[dict[str, object]] = []
        for symbol in self._world.account(account).positions:
            try:
                body: object = order_json(self._close(account, symbol, {}))
                items.append({"symbol": symbol, "status": 200, "body": body})
            except Refusal as refusal:
                items.append({"symbol": symbol, "status": refusal.status, "body": refusal.body})
        return answer(items, 207)

    def _close(self, account: str, symbol: str, asked: Body) -> Order:
        held = self._world.account(account).position(symbol).qty
        qty = abs(held)
        if "qty" in asked:
            qty = positive(asked, "qty")
        elif "percentage" in asked:
            qty = (qty * positive(asked, "percentage") / 100).quantize(QTY_STEP, ROUND_DOWN)
        side: Side = "sell" if held > 0 else "buy"
        ticket = Ticket(symbol=symbol, side=side, type="market", time_in_force="day", qty=qty)
        return self._exchange.submit(account, ticket)

    async def account(self, request: Request) -> Response:
        account = self._account(request)
        return answer(account_json(self._read_world("read.account_lag", account), account))

    def _read_world(self, lag: str, account: str) -> World:
        """The world as a reader sees it who may be behind by a fault."""
        behind = self._house.kernel.faults.take(lag, account=account)
        return self._house.world_before(behind.seconds) if behind else self._world

    async def activities(self, request: Request) -> Response:
        account, kind = self._account(request), request.path_params.get("kind")
        world, repeats = self._read_world("read.activities_lag", account), self._repeats(request, account)
        rows = list_activities(world, account, request.query_params, kind, repeats=repeats)
        gap = self._house.kernel.faults.take("read.activities_gap", account=account)
        return answer(rows[gap.n if gap else 0 :])

    async def configurations(self, request: Request) -> Response:
        self._account(request)
        return answer(configurations_json(self._house.kernel.rules))

    async def configure(self, request: Request) -> Response:
        """Null means unchanged, as alpaca-py sends every field; what is not modelled here is ignored."""
        self._account(request)
        if changes := read_configuration(read_body(await request.body())):
            self._house.kernel.rule(**changes)
        return answer(configurations_json(self._house.kernel.rules))

    # Reference.

    async def clock(self, request: Request) -> Response:
        self._account(request)
        now, session = self._house.kernel.clock.now(), self._house.kernel.session
        return answer(
            {
                "timestamp": new_york(now),
                "is_open": session.is_open(now),
                "next_open": new_york(session.next_open(now)),
                "next_close": new_york(session.next_close(now)),
            }
        )

    async def calendar(self, request: Request) -> Response:
        self._account(request)
        today, query = trading_day(self._house.kernel.clock.now()), request.query_params
        try:
            start = read_date(query.get("start") or f"{today - timedelta(days=30)}")
            end = read_date(query.get("end") or f"{today + timedelta(days=30)}")
        except ValueError:
            raise invalid("invalid date") from None
        start, end = max(start, today - CALENDAR_REACH), min(end, today + CALENDAR_REACH)
        days = (start + timedelta(days=n) for n in range((end - start).days + 1))
        return answer([self._calendar_day(day) for day in days if self._house.kernel.session.hours(day)])

    def _calendar_day(self, day: date) -> dict[str, str]:
        session = self._house.kernel.session
        hours = session.hours(day) or ROUND_THE_CLOCK
        return {
            "date": f"{day}",
            "open": f"{hours.opens:%H:%M}",
            "close": f"{hours.closes:%H:%M}",
            "session_open": f"{hours.first:%H%M}",
            "session_close": f"{hours.last:%H%M}",
            "settlement_date": f"{following_day(session, day)}",
        }

    async def announcements(self, request: Request) -> Response:
        """Nothing is announced here; splits and dividends show among the activities."""
        self._account(request)
        return answer([])

    async def option_contracts(self, request: Request) -> Response:
        """There are no options."""
        self._account(request)
        return answer({"option_contracts": [], "next_page_token": None})

    async def assets(self, request: Request) -> Response:
        self._account(request)
        return answer([asset_json(symbol, self._world.listings[symbol]) for symbol in ASSETS])

    async def asset(self, request: Request) -> Response:
        self._account(request)
        symbol = known_symbol(request.path_params["symbol"])
        return answer(asset_json(symbol, self._world.listings[symbol]))


def _order_id(request: Request) -> str:
    try:
        return str(UUID(request.path_params["order_id"]))
    except ValueError:
        raise invalid("order_id is missing") from None


def is_true(text: str | None) -> bool:
    return (text or "").lower() in {"true", "1"}


Family = tuple[Order, list[Order]]


def select_orders(families: list[Family], query: QueryParams, *, repeats: bool = False) -> list[Family]:
    """The page a list request asks for, of families oldest first; one member that fits lists them all."""
    tests = _tests(query, repeats=repeats)
    chosen = [
        family
        for family in _between(families, query)
        if any(all(test(order) for test in tests) for order in (family[0], *family[1]))
    ]
    if query.get("direction", "desc") == "desc":
        chosen.reverse()
    return chosen[: _limit(query)]


def _between(families: list[Family], query: QueryParams) -> list[Family]:
    """Those before or after one order, which is left out itself."""
    marks = [name for name in ("before_order_id", "after_order_id") if query.get(name)]
    if not marks:
        return families
    if len(marks) > 1 or query.get("after") or query.get("until"):
        raise invalid("only one of before_order_id, after_order_id and a range of time is accepted")
    ids = [order.id for order, _ in families]
    if query[marks[0]] not in ids:
        raise invalid(f"invalid {marks[0]}")
    place = ids.index(query[marks[0]])
    return families[:place] if marks == ["before_order_id"] else families[place + 1 :]


def _limit(query: QueryParams) -> int:
    try:
        limit = int(query.get("limit") or DEFAULT_LIMIT)
    except ValueError:
        raise invalid("invalid limit") from None
    if not 1 <= limit <= MOST:
        raise invalid("invalid limit")
    return limit


def _tests(query: QueryParams, *, repeats: bool) -> list[Callable[[Order], bool]]:
    # The bounds are exclusive, unless an item is to come twice.
    status = query.get("status") or "open"
    if status not in {"open", "closed", "all"}:
        raise invalid("invalid status")
    tests: list[Callable[[Order], bool]] = []
    if status != "all":
        tests.append(lambda order: order.is_live == (status == "open"))
    if symbols := [s for part in query.getlist("symbols") for s in part.split(",") if s]:
        tests.append(lambda order: order.symbol in symbols)
    if classes := query.get("asset_class"):
        tests.append(lambda order: "us_equity" in classes.split(","))
    if side := query.get("side"):
        tests.append(lambda order: order.side == side)
    try:
        if text := query.get("after"):
            after = read_moment(text)
            tests.append(lambda o: o.created_at > after or (repeats and o.created_at == after))
        if text := query.get("until"):
            until = read_moment(text)
            tests.append(lambda o: o.created_at < until or (repeats and o.created_at == until))
    except ValueError:
        raise invalid("invalid date") from None
    return tests
