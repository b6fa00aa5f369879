"""Lives of orders at the exchange: what it told, fact by fact, and what its own books say in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tests.kit.exchange import Exchange

SYMBOL: Final = "AAPL"
TERMS: Final = (("buy", "90"), ("sell", "110"))
"""Orders of a life, in turn: both rest far from the market, so that nothing trades but what the life says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One message of the stream as it was told, with the order's copy in it; a trade's activity beside it."""

    message: dict[str, Any]
    activity: dict[str, Any] | None

    @property
    def event(self) -> str:
        return str(self.message["event"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """`orders` as the exchange shows them at the end, `activities` as it lists them then."""

    seed: int
    orders: list[dict[str, Any]]
    facts: list[Fact]
    activities: list[dict[str, Any]]
    executions: list[dict[str, Any]]
    held: str

    def __str__(self) -> str:
        return f"seed {self.seed}: " + ", ".join(fact.event for fact in self.facts)


@dataclass(slots=True)
class Talk:
    """The exchange's trading API, with its keys."""

    exchange: Exchange

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        address = urlsplit(self.exchange.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(
                method,
                f"/v2/{path}",
                None if body is None else msgspec.json.encode(body),
                self.exchange.headers,
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return msgspec.json.decode(text) if text and answer.status < 300 else None


@dataclass(slots=True)
class Author:
    """Draws one life from a seed and lets the exchange live it."""

    exchange: Exchange
    seed: int
    most_steps: int
    ask: Talk = field(init=False)
    chance: Random = field(init=False)
    orders: list[str] = field(default_factory=list)
    activities: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ask = Talk(self.exchange)
        self.chance = Random(f"life/{self.seed}")

    def life(self) -> Life:
        self.exchange.reset(seed=self.seed)
        self.exchange.price(SYMBOL, "99.99", "100.01")
        self.exchange.ctl("POST", "account", {"cash": "10000000"})
        for side, price in TERMS[: self.chance.choice((1, 1, 2))]:
            self._submit(side, price)
        for _ in range(self.chance.randint(1, self.most_steps)):
            self.chance.choice(self._steps())()
            self._listen()
        return self._told()

    def _submit(self, side: str, price: str) -> None:
        if side == "sell":  # the shares it sells come from its own buy order
            self._fill(self.orders[0], self.chance.randint(10, 60))
            self._listen()
        held = sum(int(row["qty"]) for row in self.activities.values()) or 100
        ticket = {
            "symbol": SYMBOL,
            "side": side,
            "qty": str(held),
            "type": "limit",
            "limit_price": price,
            "time_in_force": "gtc",
        }
        answer = self.ask("POST", "orders", {**ticket, "client_order_id": f"life{len(self.orders)}"})
        self.orders.append(answer["id"])
        self._listen()

    # Steps.

    def _steps(self) -> list[Callable[[], None]]:
        one = self.chance.choice(self.orders)
        live = self._live(one)
        steps = [
            lambda: self._fill(one, self.chance.randint(1, 40)),
            lambda: self._fill(one, self.chance.randint(1, 40)),
            lambda: self._fill(one, self.chance.randint(1, 40)),
            lambda: self._force(one, self.chance.choice(("cancel", "expire", "reject"))),
            lambda: self._force(one, self.chance.choice(("suspend", "done_for_day"))),
            lambda: self.ask("DELETE", f"orders/{one}"),
        ]
        if live:
            execution = self.chance.choice(live)
            steps += [lambda: self._bust(execution), lambda: self._correct(execution)]
        return steps

    def _live(self, order_id: str) -> list[dict[str, Any]]:
        return [each for each in self.exchange.truth()["executions"]["live"] if each["order_id"] == order_id]

    def _fill(self, order_id: str, qty: int) -> None:
        price = f"{self.chance.randint(9000, 11000) / 100:.2f}"
        self._force(order_id, "fill", {"qty": str(qty), "price": price})

    def _force(self, order_id: str, step: str, body: object = None) -> None:
        self.exchange.ctl("POST", f"orders/{order_id}/{step}", body or {})

    def _bust(self, execution: dict[str, Any]) -> None:
        negative = {"negative_qty": self.chance.random() < 0.3}
        self.exchange.ctl("POST", f"executions/{execution['id']}/bust", negative)

    def _correct(self, execution: dict[str, Any]) -> None:
        terms = {"price": f"{self.chance.randint(9000, 11000) / 100:.2f}"}
        if self.chance.random() < 0.5:
            terms["qty"] = str(self.chance.randint(1, int(execution["qty"])))
        self.exchange.ctl("POST", f"executions/{execution['id']}/correct", terms)

    # What was told.

    def _listen(self) -> None:
        for row in self.ask("GET", "account/activities/FILL?direction=asc"):
            self.activities.setdefault(row["id"].rpartition("::")[2], row)

    def _told(self) -> Life:
        truth = self.exchange.truth()
        positions = truth["accounts"][self.exchange.account]["positions"]
        return Life(
            seed=self.seed,
            orders=[self.ask("GET", f"orders/{order_id}") for order_id in self.orders],
            facts=[
                Fact(message=told["data"], activity=self._activity(told["data"]))
                for told in self.exchange.ctl("GET", "events?after=0")
            ],
            activities=self.ask("GET", "account/activities/FILL?direction=asc"),
            executions=truth["executions"]["live"],
            held=positions[0]["qty"] if positions else "0",
        )

    def _activity(self, message: dict[str, Any]) -> dict[str, Any] | None:
        is_trade = message["event"] in ("fill", "partial_fill")
        return self.activities[message["execution_id"]] if is_trade else None


def live(exchange: Exchange, seed: int, most_steps: int) -> Life:
    """One life, in a world of its own; the same seed lives the same life."""
    return Author(exchange, seed, most_steps).life()
