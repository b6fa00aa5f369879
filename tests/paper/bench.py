"""Where one fault after another is shown: an exchange, a client and a listener."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests.kit.exchange import Exchange
from tests.paper.listener import Listener
from tests.paper.tickets import submit, ticket

POSTS = {"method": "POST", "path": "/v2/orders"}


@dataclass
class Bench:
    exchange: Exchange
    client: TradingClient
    listener: Listener
    armed: list[str] = field(default_factory=list)

    def arm(self, name: str, *, match: dict[str, str] | None = None, **params: object) -> str:
        self.armed.append(self.exchange.arm(name, match=match, **params))
        return self.armed[-1]

    def disarm(self) -> None:
        """Everything; what it did so far stays counted by nobody."""
        self.exchange.ctl("DELETE", "faults")

    def hits(self) -> list[int]:
        return [self.exchange.ctl("GET", f"faults/{fault}")["hits"] for fault in self.armed]

    # What a trader does.

    def offer(self, bid: str = "9.98", ask: str = "10", **more: str) -> None:
        self.exchange.price("AAPL", bid, ask, **more)

    def submit(self, **changes: object) -> Any:
        return submit(self.client, **changes)

    def buy(self, **changes: object) -> Any:
        """Bought at 10 at once."""
        self.offer()
        return self.submit(**changes)

    def order(self, order: Any) -> Any:
        return self.client.get_order_by_id(order["id"])

    def cancel(self, order: Any) -> None:
        self.client.cancel_order_by_id(order["id"])

    def post(self, timeout: float = 3) -> requests.Response:
        """A submission past alpaca-py, to see the answer as it is."""
        return requests.post(
            f"{self.exchange.url}/v2/orders",
            json=ticket(),
            headers=self.exchange.headers,
            timeout=timeout,
            allow_redirects=False,
        )

    def refusal(self, **changes: object) -> tuple[int, str]:
        try:
            self.submit(**changes)
        except APIError as error:
            return error.status_code, str(error)
        raise AssertionError("the order was accepted")

    def lost(self) -> type[Exception]:
        """What a client of `requests` makes of the end of its connection."""
        try:
            self.post()
        except requests.RequestException as error:
            return type(error)
        raise AssertionError("there was an answer")

    def took(self, work: Callable[[], object]) -> float:
        began = time.monotonic()
        with contextlib.suppress(APIError):
            work()
        return time.monotonic() - began

    # What is known.

    def orders(self) -> list[Any]:
        return list(self.exchange.truth()["orders"])

    def executions(self) -> list[Any]:
        return list(self.exchange.truth()["executions"]["live"])

    def fills(self, **query: str) -> list[Any]:
        return list(self.client.get("/account/activities/FILL", {"direction": "asc", **query}))

    def by_hand(self) -> Callable[[float], None]:
        """Stop the clock; the answer moves it by so many seconds."""
        self.exchange.ctl("POST", "clock", {"mode": "manual"})
        return lambda seconds: self.exchange.ctl("POST", "clock/advance", {"seconds": seconds})


Row = Callable[[Bench], None]
ROWS: dict[str, Row] = {}


def shows(name: str) -> Callable[[Row], Row]:
    """The one row of the table for a fault."""

    def enter(row: Row) -> Row:
        assert name not in ROWS, f"{name} has two rows"
        ROWS[name] = row
        return row

    return enter
