"""The market data API. Prices and sizes are JSON numbers here."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.paper.answers import answer
from gateway.paper.clock import trading_day
from gateway.paper.distortions import aged, distorted_quote
from gateway.paper.errors import Refusal, invalid, unauthorized
from gateway.paper.house import House
from gateway.paper.market_data import MarketData, Row
from gateway.paper.notation import NEW_YORK, read_moment

DEFAULT_LIMIT: Final = 1_000
MOST: Final = 10_000

Series = list[tuple[datetime, Row]]


class MarketApi:
    """Unknown symbols are left out of an answer, as the original does."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        return [
            Route("/v2/stocks/{kind}/latest", self.latest, methods=["GET"]),
            Route("/v2/stocks/{symbol}/{kind}/latest", self.latest_of_one, methods=["GET"]),
            Route("/v2/stocks/snapshots", self.snapshots, methods=["GET"]),
            Route("/v2/stocks/{symbol}/snapshot", self.snapshot_of_one, methods=["GET"]),
            Route("/v2/stocks/{kind}", self.history, methods=["GET"]),
            Route("/v2/stocks/{symbol}/{kind}", self.history_of_one, methods=["GET"]),
        ]

    @property
    def _market(self) -> MarketData:
        return self._house.market

    def _authorize(self, request: Request) -> None:
        if self._house.keys.account_of(request.headers) is None:
            raise unauthorized()
        if outage := self._house.kernel.faults.take("data.outage", path=request.url.path):
            raise Refusal(int(outage.status or 503), 50010000, "market data is not available")

    async def latest(self, request: Request) -> Response:
        self._authorize(request)
        kind = request.path_params["kind"]
        read = self._latest_reader(kind)
        rows = {symbol: row for symbol in _symbols(request.query_params) if (row := read(symbol))}
        return answer({kind: rows})

    async def latest_of_one(self, request: Request) -> Response:
        self._authorize(request)
        symbol, kind = request.path_params["symbol"], request.path_params["kind"]
        return answer({"symbol": symbol, kind.removesuffix("s"): self._latest_reader(kind)(symbol)})

    def _latest_reader(self, kind: str) -> Callable[[str], Row | None]:
        readers: dict[str, Callable[[str], Row | None]] = {
            "quotes": self._latest_quote,
            "trades": self._latest_trade,
            "bars": lambda symbol: _last(self._market.spans(symbol, timedelta(minutes=1))),
        }
        return _known(readers, kind)

    def _latest_quote(self, symbol: str) -> Row | None:
        row = self._market.latest_quote(symbol)
        return row and distorted_quote(self._house.kernel.faults, symbol, row)

    def _latest_trade(self, symbol: str) -> Row | None:
        row = self._market.latest_trade(symbol)
        return row and aged(self._house.kernel.faults, symbol, row)

    async def snapshots(self, request: Request) -> Response:
        self._authorize(request)
        return answer({symbol: self._snapshot(symbol) for symbol in _symbols(request.query_params)})

    async def snapshot_of_one(self, request: Request) -> Response:
        self._authorize(request)
        symbol = request.path_params["symbol"]
        return answer({"symbol": symbol, **self._snapshot(symbol)})

    def _snapshot(self, symbol: str) -> Row:
        days = self._market.days(symbol)
        return {
            "latestTrade": self._latest_trade(symbol),
            "latestQuote": self._latest_quote(symbol),
            "minuteBar": _last(self._market.spans(symbol, timedelta(minutes=1))),
            "dailyBar": _last(days),
            "prevDailyBar": _last(days[:-1]),
        }

    async def history(self, request: Request) -> Response:
        self._authorize(request)
        kind, query = request.path_params["kind"], request.query_params
        rows, token = self._history(kind, _symbols(query), query)
        keyed: dict[str, list[Row]] = {}
        for symbol, row in rows:
            keyed.setdefault(symbol, []).append(row)
        return answer({kind: keyed, "next_page_token": token})

    async def history_of_one(self, request: Request) -> Response:
        self._authorize(request)
        symbol, kind = request.path_params["symbol"], request.path_params["kind"]
        rows, token = self._history(kind, [symbol], request.query_params)
        return answer({"symbol": symbol, kind: [row for _, row in rows], "next_page_token": token})

    def _history(
        self, kind: str, symbols: list[str], query: QueryParams
    ) -> tuple[list[tuple[str, Row]], str | None]:
        """One page over all symbols together, and the token of the next."""
        read = self._history_reader(kind, query)
        start, end = self._range(query)
        rows = [
            (symbol, row)
            for symbol in sorted(symbols)
            for at, row in _sorted(read(symbol), query)
            if start <= at <= end
        ]
        first, limit = _number(query, "page_token", 0), _number(query, "limit", DEFAULT_LIMIT)
        last = first + min(max(limit, 1), MOST)
        return rows[first:last], str(last) if last < len(rows) else None

    def _history_reader(self, kind: str, query: QueryParams) -> Callable[[str], Series]:
        readers: dict[str, Callable[[str], Series]] = {
            "quotes": self._market.quotes,
            "trades": self._market.trades,
            "bars": lambda symbol: self._bars(symbol, query),
        }
        return _known(readers, kind)

    def _bars(self, symbol: str, query: QueryParams) -> Series:
        match = re.fullmatch(r"([1-9]\d?)(Min|T|Hour|H|Day|D)", query.get("timeframe", ""))
        if match is None:
            raise invalid("invalid timeframe")
        count, unit = int(match[1]), match[2]
        if unit in {"Day", "D"}:
            return self._market.days(symbol, adjusted=query.get("adjustment", "raw") in {"split", "all"})
        return self._market.spans(symbol, timedelta(minutes=count * (60 if unit[0] == "H" else 1)))

    def _range(self, query: QueryParams) -> tuple[datetime, datetime]:
        """From the beginning of today until now, unless asked otherwise."""
        now = self._house.kernel.clock.now()
        today = trading_day(now)
        try:
            start = read_moment(query["start"]) if query.get("start") else None
            end = read_moment(query["end"]) if query.get("end") else now
        except ValueError:
            raise invalid("invalid date") from None
        return start or datetime(today.year, today.month, today.day, tzinfo=NEW_YORK), end


T = TypeVar("T")


def _known(readers: dict[str, T], kind: str) -> T:
    if kind not in readers:
        raise invalid(f"invalid path: {kind}")
    return readers[kind]


def _symbols(query: QueryParams) -> list[str]:
    symbols = [s for part in query.getlist("symbols") for s in part.split(",") if s]
    if not symbols:
        raise invalid("symbols is required")
    return symbols


def _last(series: Series) -> Row | None:
    return series[-1][1] if series else None


def _sorted(series: Series, query: QueryParams) -> Series:
    return series[::-1] if query.get("sort") == "desc" else series


def _number(query: QueryParams, name: str, default: int) -> int:
    try:
        return int(query.get(name) or default)
    except ValueError:
        raise invalid(f"invalid {name}") from None
