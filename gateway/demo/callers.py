"""Who speaks over HTTP in the demo: callers of the gateway, and the control plane of the exchange."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

import httpx2

from gateway.cli.endings import CommandFailed

T = TypeVar("T")
_PAUSE_SECONDS: Final = 0.03
_SLOW_DOWN: Final = 429


class DemoFailed(CommandFailed):
    """Something is not as it has to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON body whose numbers are Decimals or integers, never floats."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """The stable code of a refusal, empty on success."""
        return str(self.body.get("code", ""))

    def __str__(self) -> str:
        """The answer in one line: why not, or what the order's status is now."""
        if self.status >= 400:
            return f"{self.status} {self.body.get('detail') or self.body}"
        return f"{self.status} {self.body['status']}: {self.body['message']}"


class Talk:
    """JSON over HTTP with one server; whoever is told to slow down waits as long as he is told."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=15)

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        parameters = {name: str(value) for name, value in query.items()}
        response = self._http.request(method, path, json=body, params=parameters)
        while response.status_code == _SLOW_DOWN:
            time.sleep(int(response.headers["Retry-After"]))
            response = self._http.request(method, path, json=body, params=parameters)
        return Answer(status=response.status_code, body=_read(response.content))

    def get(self, path: str, **query: object) -> Any:
        """The body of a successful answer; raises DemoFailed for any other."""
        return _granted(self.ask("GET", path, **query))

    def post(self, path: str, body: object = None, **query: object) -> Any:
        return _granted(self.ask("POST", path, body, **query))


def _read(content: bytes) -> Any:
    return json.loads(content, parse_float=Decimal) if content else None


def _granted(answer: Answer) -> Any:
    if answer.status >= 400:
        raise DemoFailed(f"the answer was {answer}")
    return answer.body


class Caller(Talk):
    """A principal of the gateway; `strategy` is what its orders are for."""

    def __init__(self, url: str, token: str, *, name: str, strategy: str = "") -> None:
        super().__init__(url, {"Authorization": f"Bearer {token}"})
        self.name, self.strategy = name, strategy

    def submit(self, side: str, qty: int, symbol: str, **terms: object) -> Answer:
        """Prices may be Decimals; they travel as text."""
        written = {name: str(value) for name, value in terms.items()}
        ticket = {"symbol": symbol, "side": side, "qty": qty, "strategy_id": self.strategy, **written}
        return self.ask("POST", "/api/v1/orders", ticket)

    def place(self, side: str, qty: int, symbol: str, **terms: object) -> str:
        """Submit what must be accepted; gives the order's id."""
        return str(_granted(self.submit(side, qty, symbol, **terms))["client_order_id"])

    def order(self, client_order_id: str) -> Any:
        return self.get(f"/api/v1/orders/{client_order_id}")

    def cancel(self, client_order_id: str) -> Any:
        return self.post(f"/api/v1/orders/{client_order_id}/cancel")

    def wait_for(self, client_order_id: str, *statuses: str, within: float = 20) -> Any:
        """The order once it has one of these statuses."""
        return until(
            lambda: next((o for o in [self.order(client_order_id)] if o["status"] in statuses), None),
            within=within,
            what=f"order {client_order_id} to be {' or '.join(statuses)}",
        )

    def events(self, **query: object) -> Iterator[Any]:
        """Every event that matches, oldest first."""
        after, more = 0, True
        while more:
            page = self.get("/api/v1/events", after=after, limit=1000, **query)
            yield from page["events"]
            after, more = page["next_after"], page["has_more"]


class Exchange(Talk):
    """The control plane: what a test may do to the exchange, and what really happened there."""

    def arm(self, fault: str, *, match: Mapping[str, str], times: int = 1, **params: object) -> None:
        """The next `times` matching occasions go wrong; -1 stands for all of them."""
        self.post("/_ctl/faults", {"name": fault, "params": params, "match": match, "times": times})

    def disarm(self) -> None:
        self.ask("DELETE", "/_ctl/faults")

    def truth(self) -> Any:
        return self.get("/_ctl/truth")

    def order(self, client_order_id: str) -> Any | None:
        orders = self.truth()["orders"]
        return next((order for order in orders if order["client_order_id"] == client_order_id), None)

    def submissions(self, client_order_id: str) -> int:
        """How many POSTs for this order the exchange has seen, answered or not."""
        seen = self.get("/_ctl/requests", after=0)
        posts = [each for each in seen if each["method"] == "POST" and each["path"] == "/v2/orders"]
        return sum(json.loads(each["body"])["client_order_id"] == client_order_id for each in posts)


def until(question: Callable[[], T | None], *, within: float, what: str) -> T:
    """Ask until the answer is neither None nor False; raises DemoFailed when it takes too long."""
    deadline = time.monotonic() + within
    while not (found := question()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {within:g} s in vain for {what}")
        time.sleep(_PAUSE_SECONDS)
    return found
