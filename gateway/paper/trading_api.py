"""The trading API: orders, positions, account, clock, calendar, assets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.paper.activities import list_activities
from gateway.paper.answers import answer, no_content
from gateway.paper.assets import ASSETS, asset_json, find_symbol
from gateway.paper.clock import trading_day
from gateway.paper.errors import Refusal, invalid, order_not_found, unauthorized
from gateway.paper.exchange import Exchange
from gateway.paper.house import House
from gateway.paper.notation import new_york, read_date, read_moment
from gateway.paper.orders import Order, Side, order_json
from gateway.paper.portfolio import account_json, configurations_json, position_json, positions_json
from gateway.paper.ticket import Body, Ticket, positive, read_body, read_change, read_ticket
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
        return answer(order_json(self._exchange.submit(account, ticket)))

    async def orders(self, request: Request) -> Response:
        account = self._account(request)
        orders = (order for order in self._world.orders.values() if order.account == account)
        visible = [order for order in orders if not self._exchange.is_hidden(order, "list")]
        listed = select_orders(visible, request.query_params)
        gap = self._house.kernel.faults.take("read.list_gap", account=account)
        return answer([order_json(order) for order in listed[gap.n if gap else 0 :]])

    async def order(self, request: Request) -> Response:
        order = self._exchange.order(self._account(request), _order_id(request))
        return self._shown(order, "id", order.id)

    async def order_by_client_id(self, request: Request) -> Response:
        account = self._account(request)
        client_id = request.query_params.get("client_order_id", "")
        order_id = self._world.by_client_id.get((account, client_id))
        if order_id is None:
            raise order_not_found(client_id)
        return self._shown(self._world.orders[order_id], "cid", client_id)

    def _shown(self, order: Order, route: str, asked_for: str) -> Response:
        if self._exchange.is_hidden(order, route):
            raise order_not_found(asked_for)
        return answer(order_json(order))

    async def replace(self, request: Request) -> Response:
        account, order_id = self._account(request), _order_id(request)
        change = read_change(read_body(await request.body()))
        return answer(order_json(self._exchange.replace(account, order_id, change)))

    async def cancel(self, request: Request) -> Response:
        self._exchange.cancel(self._account(request), _order_id(request))
        return no_content()

    async def cancel_all(self, request: Request) -> Response:
        return answer(self._cancel_all(self._account(request)), 207)

    def _cancel_all(self, account: str) -> list[dict[str, object]]:
        items: list[dict[str, object]] = []
        for order in self._world.live_orders(account):
            try:
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
        return answer(positions_json(self._world, account, self._house.market.closes()))

    async def position(self, request: Request) -> Response:
        account, symbol = self._account(request), find_symbol(request.path_params["symbol"])
        return answer(position_json(self._world, account, symbol, self._house.market.closes()))

    async def close_position(self, request: Request) -> Response:
        account, symbol = self._account(request), find_symbol(request.path_params["symbol"])
        position_json(self._world, account, symbol, {})
        return answer(order_json(self._close(account, symbol or "", dict(request.query_params))))

    async def close_positions(self, request: Request) -> Response:
        account = self._account(request)
        if request.query_params.get("cancel_orders", "").lower() in {"true", "1"}:
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
            qty = qty * positive(asked, "percentage") / 100
        side: Side = "sell" if held > 0 else "buy"
        ticket = Ticket(symbol=symbol, side=side, type="market", time_in_force="day", qty=qty)
        return self._exchange.submit(account, ticket)

    async def account(self, request: Request) -> Response:
        return answer(account_json(self._world, self._account(request)))

    async def activities(self, request: Request) -> Response:
        account, kind = self._account(request), request.path_params.get("kind")
        rows = list_activities(self._world, account, request.query_params, kind)
        gap = self._house.kernel.faults.take("read.activities_gap", account=account)
        return answer(rows[gap.n if gap else 0 :])

    async def configurations(self, request: Request) -> Response:
        self._account(request)
        return answer(configurations_json(self._house.kernel.rules))

    async def configure(self, request: Request) -> Response:
        """Null means unchanged, as alpaca-py sends every field. Only trading can be suspended here."""
        self._account(request)
        asked = read_body(await request.body())
        if asked.get("suspend_trade") is not None:
            self._house.kernel.rule(suspend_trade=asked["suspend_trade"] is True)
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
        opens, closes = self._house.kernel.session.hours(day) or ("", "")
        return {
            "date": f"{day}",
            "open": opens,
            "close": closes,
            "session_open": opens.replace(":", ""),
            "session_close": closes.replace(":", ""),
            "settlement_date": f"{day + timedelta(days=1)}",
        }

    async def assets(self, request: Request) -> Response:
        self._account(request)
        return answer([asset_json(symbol) for symbol in ASSETS])

    async def asset(self, request: Request) -> Response:
        self._account(request)
        return answer(asset_json(request.path_params["symbol"]))


def _order_id(request: Request) -> str:
    try:
        return str(UUID(request.path_params["order_id"]))
    except ValueError:
        raise invalid("order_id is missing") from None


def select_orders(orders: list[Order], query: QueryParams) -> list[Order]:
    """The page of orders a list request asks for; `orders` come oldest first."""
    tests = _tests(query)
    chosen = [order for order in orders if all(test(order) for test in tests)]
    if query.get("direction", "desc") == "desc":
        chosen.reverse()
    return chosen[: _limit(query)]


def _limit(query: QueryParams) -> int:
    try:
        limit = int(query.get("limit") or DEFAULT_LIMIT)
    except ValueError:
        raise invalid("invalid limit") from None
    if not 1 <= limit <= MOST:
        raise invalid("invalid limit")
    return limit


def _tests(query: QueryParams) -> list[Callable[[Order], bool]]:
    status = query.get("status") or "open"
    if status not in {"open", "closed", "all"}:
        raise invalid("invalid status")
    tests: list[Callable[[Order], bool]] = []
    if status != "all":
        tests.append(lambda order: order.is_live == (status == "open"))
    if symbols := [s for part in query.getlist("symbols") for s in part.split(",") if s]:
        tests.append(lambda order: order.symbol in symbols)
    if side := query.get("side"):
        tests.append(lambda order: order.side == side)
    try:
        if text := query.get("after"):
            after = read_moment(text)
            tests.append(lambda order: order.created_at > after)
        if text := query.get("until"):
            until = read_moment(text)
            tests.append(lambda order: order.created_at < until)
    except ValueError:
        raise invalid("invalid date") from None
    return tests
