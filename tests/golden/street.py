"""Feeds a story through a running gateway: over its API, and by what the exchange tells it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import httpx2

from gateway.aggregates.exact import canonical
from gateway.aggregates.vocabulary import ClientOrderId, Symbol, order_stream
from tests.contract.relay import about, deliver
from tests.contract.steps import metric, reconcile
from tests.golden.books import ENDS, Books
from tests.golden.stage import BY_NAME, Stage
from tests.golden.story import Step, Story
from tests.kit.house import House
from tests.kit.slicing import Ahead

GRACE: Final = 301
"""Seconds between answers, three of which prove an order absent."""
DISPOSITIONS: Final = ("applied", "duplicate", "orphan", "unknown_event", "unparsed")


@dataclass(slots=True)
class Street:
    house: House
    ahead: Ahead
    story: Story
    symbol: Symbol
    stage: Stage = field(init=False)
    books: Books = field(init=False)
    marks: list[int] = field(default_factory=list)
    """Where the ledger stood after each step."""
    looked: int = 0
    """How often the exchange had been asked by name after the last step of ours."""
    patience: ClassVar[float] = 5

    def __post_init__(self) -> None:
        gateway = self.house.gateway
        self.stage = Stage(self.house.exchange, self.story, self.symbol)
        today = gateway.clock.now().date()
        self.books = Books(ledger=gateway.ledger, symbol=self.symbol, first_day=today)

    async def take(self, step: Step) -> str | None:
        """Do what a step says, until what it told has been heard. Returns the code of a refusal."""
        for direction in step.staged:
            await self._act(direction)
        answer = None
        for each in (step,) if step.exchange is None else step.exchange:
            answer = await self._act(each)
        if step.ours:
            self.looked = await self.stage.requests("GET", BY_NAME["path"])
        else:
            await self._heard()
        for order in self.stage.ids:
            self.books.names.setdefault(order, ClientOrderId(self.stage.name(order)))
        self.books.executions = {theirs: ours for ours, theirs in self.stage.executions.items()}
        self.marks.append(await self.house.gateway.ledger.log.head())
        return answer

    async def _act(self, step: Step) -> str | None:
        acts: dict[str, Callable[[Step], Awaitable[str | None]]] = {
            "submit": self._submit,
            "cancel": self._cancel,
            "adopt": self._adopt,
            "look_up": self._look_up,
            "prove_absent": self._prove_absent,
            "fill": self.stage.fill,
            "bust": self.stage.bust,
            "correct": self.stage.correct,
            "restated": self.stage.restate,
            "pending_cancel": self._pending_cancel,
            "pending_replace": self._replace,
            "replaced": self.stage.put_in_place,
            "refuses_replace": self.stage.refuse_replace,
            "appears": self.stage.appear,
            "lookup": self._reconcile,
            "arm": self._arm,
            "disarm": self._disarm,
            "price": self.stage.price,
            "split": self.stage.split,
            "reconcile": self._reconcile,
            "relay": self._relay,
            "next_day": self._next_day,
        }
        return await acts.get(step.verb, self.stage.word)(step)

    async def _heard(self) -> None:
        """Until the gateway has recorded whatever the exchange has told it."""
        told = await self.stage.told()

        async def recorded() -> bool:
            facts = (
                metric(self.house, "broker_facts_total", source="stream", disposition=name)
                for name in DISPOSITIONS
            )
            return sum(facts) >= told

        await self.house.until(recorded, what="what was told")

    # What is shown.

    async def shows(self) -> dict[str, Any]:
        """As the books do, with the orders and the holding as the API shows them."""
        position = await self.books.position()
        flat = {"qty": "0", "realized_pl": canonical(position.account.realized)}
        holding = await self.house.position(self.symbol) or flat
        orders = {name: await self._order(known) for name, known in self.books.names.items()}
        return {name: order for name, order in orders.items() if order is not None} | {
            "reserved": canonical(position.reserved_buy + position.reserved_sell),
            "position": holding["qty"],
            "realized": holding["realized_pl"],
        }

    async def _order(self, client_order_id: ClientOrderId) -> str | None:
        order, _ = await self.house.gateway.ledger.load(order_stream(client_order_id))
        if order is None:
            return None
        found = await self.house.order(client_order_id)
        return f"{found['status']} ({found['filled_qty']}/{found['leaves_qty']})"

    async def end(self, name: str) -> Any:
        match name:
            case "posts":
                return await self.stage.requests("POST", "/v2/orders")
            case "deletes":
                return await self.stage.requests("DELETE", "/v2/orders/")
            case "realized_before":
                return await self._realized_as_of(self.marks[-2])
            case _:
                return await ENDS[name](self.books)

    async def _realized_as_of(self, ledger_position: int) -> str:
        params = {"symbol": self.symbol, "as_of": ledger_position}
        answer = await self.house.client.get("/api/v1/positions", params=params)
        return next((str(row["realized_pl"]) for row in answer.json()["positions"]), "0")

    # What we do.

    async def _submit(self, step: Step) -> str | None:
        reply = step.more.get("reply", "new")
        self.books.names[step.order] = ClientOrderId(self.stage.name(step.order))
        await self.stage.prepare(step.order, reply)
        terms = self.story.terms(step.order)
        body = {
            "client_order_id": self.stage.name(step.order),
            "symbol": self.symbol,
            "side": terms["side"],
            "qty": int(terms["qty"]),
            "type": "limit",
            "limit_price": terms["px"],
            "time_in_force": terms["tif"],
            "strategy_id": "alpha",
        }
        response = await self.house.client.post("/api/v1/orders", json=body)
        await self.stage.answered(step.order, reply)
        return _code(response)

    async def _cancel(self, step: Step) -> str | None:
        """The exchange keeps the order until the story says what becomes of it."""
        await self.stage.arm("order.stuck", step.order, status="pending_cancel")
        path = f"/api/v1/orders/{self.stage.name(step.order)}/cancel"
        return _code(await self.house.client.post(path))

    async def _adopt(self, step: Step) -> str | None:
        body = {"strategy_id": "alpha", "reason": "it was ours after all"}
        path = f"/api/v1/orphans/{self.stage.ids[step.order]}/adopt"
        return _code(await self.house.client.post(path, json=body))

    async def _look_up(self, step: Step) -> None:
        """Until the broker was asked once more; the gateway may have done so since the last step of ours."""

        async def asked() -> bool:
            await self.house.gateway.resolver.run_once()
            return await self.stage.requests("GET", BY_NAME["path"]) > self.looked

        await self.house.until(asked, within=5, what="the look-up")

    async def _prove_absent(self, step: Step) -> None:
        """Three answers, spread over the time that proves absence, and a list without the order."""
        await self.stage.hide(step.order)
        for _ in range(3):
            await self.house.gateway.resolver.run_once()
            self.ahead.move(GRACE)
        await self.stage.appear(step)

    # What happens between us and the exchange.

    async def _pending_cancel(self, step: Step) -> None:
        """Until our request has reached the exchange, which then says so."""

        async def asked() -> bool:
            return await self.stage.status(step.order) == "pending_cancel"

        await self.house.until(asked, what="the request to cancel")

    async def _replace(self, step: Step) -> None:
        self.books.names[step.more["by"]] = ClientOrderId(await self.stage.replace(step))

    async def _arm(self, step: Step) -> None:
        terms = {key: value for key, value in step.more.items() if key != "name"}
        await self.stage.arm(step.more["name"], step.order, **terms)

    async def _disarm(self, step: Step) -> None:
        await self.stage.disarm(step.more["name"], step.order)

    async def _reconcile(self, step: Step) -> None:
        for _ in range(step.more.get("name", 1)):
            await reconcile(self.house)
        if finds := step.more.get("finds"):
            assert await self.books.breaks() == [finds]

    async def _relay(self, step: Step) -> None:
        """A word that only a webhook brings."""
        known = await self.house.order(self.stage.name(step.order))
        word = step.more["name"]
        body = {"event": word, "order": about(known, status=word, filled_qty=known["filled_qty"])}
        assert (await deliver(self.house, body)).status_code == 200

    async def _next_day(self, step: Step) -> None:
        """For both of us."""
        self.ahead.move(24 * 3600)
        tomorrow = self.house.gateway.clock.now().isoformat()
        await self.stage.ctl("clock", {"mode": "scaled", "now": tomorrow, "speed": 1})
        self.house.client.headers["Authorization"] = f"Bearer {self.house.token()}"


def _code(response: httpx2.Response) -> str | None:
    return None if response.status_code < 300 else str(response.json()["code"])
