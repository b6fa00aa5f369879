"""Who speaks over HTTP in the demo: callers of the gateway, and the control plane of the exchange."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx2

from gateway.cli.endings import CommandFailed
from gateway.client import Client, Patience, Problem
from gateway.client.answers.ledger import Event
from gateway.client.answers.orders import OrderDetail, OrderResponse

T = TypeVar("T")
_PAUSE_SECONDS: Final = 0.03
_PATIENT: Final = Patience(tries=3, longest_pause_seconds=60)
"""Whoever is told to slow down waits as long as he is told."""


class DemoFailed(CommandFailed):
    """Something is not as it has to be."""


class Caller(Client):
    """A principal of the gateway; `strategy` is what its orders are for."""

    def __init__(self, url: str, token: str, *, name: str, strategy: str = "") -> None:
        super().__init__(url, token, patience=_PATIENT)
        self.name, self.strategy = name, strategy

    def place(self, side: str, qty: int, symbol: str, **terms: Any) -> OrderResponse:
        """Submit for the strategy what must be taken."""
        return self.submit_order(side=side, qty=qty, symbol=symbol, strategy_id=self.strategy, **terms)

    def refused(self, side: str, qty: int, symbol: str, **terms: Any) -> Problem:
        """Submit what must not be taken; gives the reason."""
        try:
            order = self.place(side, qty, symbol, **terms)
        except Problem as problem:
            return problem
        raise DemoFailed(f"this should be refused and was not: {order}")

    def wait_for(self, client_order_id: str, *statuses: str, within: float = 20) -> OrderDetail:
        """The order once it has one of these statuses."""
        return until(
            lambda: next((o for o in [self.order_detail(client_order_id)] if o.status in statuses), None),
            within=within,
            what=f"order {client_order_id} to be {' or '.join(statuses)}",
        )

    def is_filled(self, client_order_id: str, *, within: float) -> bool:
        """Whether the order is filled before so many seconds have passed."""
        deadline = time.monotonic() + within
        while self.order_detail(client_order_id).status != "filled":
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def events(self, **wanted: Any) -> Iterator[Event]:
        """Every event that matches, oldest first."""
        after, more = 0, True
        while more:
            page = self.list_events(after=after, limit=1000, **wanted)
            yield from page.events
            after, more = page.next_after, page.has_more


class Exchange:
    """What the gateway's broker is asked behind its back: its prices, its books, and what is to go wrong."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=15)

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The answer's JSON, with Decimals for its numbers; raises DemoFailed for an error."""
        response = self._http.request(method, path, json=body, params=query)
        if response.is_error:
            raise DemoFailed(f"the exchange answered {response.status_code} {response.text}")
        return json.loads(response.content, parse_float=Decimal) if response.content else None

    def arm(self, fault: str, *, match: Mapping[str, str], times: int = 1, **params: object) -> None:
        """The next `times` matching occasions go wrong; -1 stands for all of them."""
        wrong = {"name": fault, "params": params, "match": match, "times": times}
        self.ask("POST", "/_ctl/faults", wrong)

    def disarm(self) -> None:
        self.ask("DELETE", "/_ctl/faults")

    def truth(self) -> Any:
        return self.ask("GET", "/_ctl/truth")

    def order(self, client_order_id: str) -> Any | None:
        orders = self.truth()["orders"]
        return next((order for order in orders if order["client_order_id"] == client_order_id), None)

    def submissions(self, client_order_id: str) -> int:
        """How many POSTs for this order the exchange has seen, answered or not."""
        seen = self.ask("GET", "/_ctl/requests", after="0")
        posts = [each for each in seen if each["method"] == "POST" and each["path"] == "/v2/orders"]
        return sum(json.loads(each["body"])["client_order_id"] == client_order_id for each in posts)


def told(order: OrderResponse) -> str:
    """An answer in one line."""
    return f"{order.status}: {order.message}"


def until(question: Callable[[], T | None], *, within: float, what: str) -> T:
    """Ask until the answer is neither None nor False; raises DemoFailed when it takes too long."""
    deadline = time.monotonic() + within
    while not (found := question()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {within:g} s in vain for {what}")
        time.sleep(_PAUSE_SECONDS)
    return found
