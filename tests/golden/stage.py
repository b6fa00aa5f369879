"""The exchange's side of a story: what the broker says in it is made to happen there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from gateway.aggregates.vocabulary import Symbol
from tests.golden.story import Step, Story
from tests.kit.exchange import Exchange

FORCED: Final = {
    "new": "accept",
    "canceled": "cancel",
    "expired": "expire",
    "rejected": "reject",
    "suspended": "suspend",
    "done_for_day": "done_for_day",
    "cancel_rejected": "cancel_reject",
    "replace_rejected": "replace_reject",
}
"""What is forced when the broker says a word."""
NOT_FOUND: Final = '{"code":40410000,"message":"order not found"}'
BY_NAME: Final = {"path": "/v2/orders:by_client_order_id"}
ORDERS: Final = {"method": "GET", "path": "/v2/orders"}
POST: Final = {"method": "POST", "path": "/v2/orders"}


@dataclass(slots=True)
class Stage:
    """`ids` and `executions` are the exchange's ids by the story's names; `armed` its faults, by order."""

    exchange: Exchange
    story: Story
    symbol: Symbol
    ids: dict[str, str] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    armed: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, order: str) -> str:
        """The client order id of an order that we send."""
        return f"{self.story.name}-{order}"

    # Executions.

    async def fill(self, step: Step) -> None:
        if step.order not in self.ids:
            await self.enter(step.order)
        before = await self._live()
        terms = {"qty": step.more["qty"], "price": step.more["px"]}
        await self.ctl(f"orders/{self.ids[step.order]}/fill", terms)
        (execution,) = await self._live() - before
        self.executions[step.more["name"]] = execution

    async def bust(self, step: Step) -> None:
        body = {"negative_qty": step.more.get("qty", "").startswith("-")}
        done = await self.ctl(f"executions/{self.executions[step.more['of']]}/bust", body)
        self.executions[step.more["name"]] = done["busted_by"]

    async def correct(self, step: Step) -> None:
        body = {"qty": step.more["qty"], "price": step.more["px"]}
        done = await self.ctl(f"executions/{self.executions[step.more['of']]}/correct", body)
        self.executions[step.more["name"]] = done["corrected_by"]

    async def _live(self) -> set[str]:
        executions = (await self._truth())["executions"]["live"]
        return {str(execution["id"]) for execution in executions}

    # Words.

    async def word(self, step: Step) -> None:
        """Force it, or let go of what has kept it from happening."""
        if step.verb == "new" and step.order not in self.ids:
            await self.enter(step.order)
        elif step.verb == "new" and ("order.stuck", step.order) in self.armed:
            await self.disarm("order.stuck", step.order)
        else:
            body = {"reason": step.more.get("reason")}
            await self.ctl(f"orders/{self.ids[step.order]}/{FORCED[step.verb]}", body)

    async def restate(self, step: Step) -> None:
        terms = {"qty": step.more.get("qty"), "price": step.more.get("px")}
        await self.ctl(f"orders/{self.ids[step.order]}/restate", terms)

    async def replace(self, step: Step) -> str:
        """Ask for it, and keep both orders where they are; returns the new one's client order id."""
        await self.arm("order.stuck", step.order, status="pending_replace")
        response = await self._patch(step)
        assert response.status_code == 200, response.text
        self.ids[step.more["by"]] = response.json()["id"]
        await self.arm("order.stuck", step.more["by"], status="pending_new")
        return str(response.json()["client_order_id"])

    async def put_in_place(self, step: Step) -> None:
        await self.disarm("order.stuck", step.order)

    async def refuse_replace(self, step: Step) -> None:
        assert (await self._patch(step)).status_code == 422

    async def _patch(self, step: Step) -> httpx2.Response:
        names = {"qty": "qty", "px": "limit_price"}
        change = {names[key]: value for key, value in step.more.items() if key in names}
        async with httpx2.AsyncClient(headers=self.exchange.headers) as client:
            url = f"{self.exchange.url}/v2/orders/{self.ids[step.order]}"
            return await client.patch(url, json=change or {"limit_price": "92"})

    # Answers.

    async def prepare(self, order: str, reply: str) -> None:
        """Faults that make the broker answer a POST as the story wants it."""
        match reply:
            case "pending_new":
                await self.arm("ws.delay", order, match={"event": "new"}, seconds=1)
            case "not_sent":
                await self.arm("http.status", order, match=POST, status=401)
            case "unknown" | "lost":
                await self.arm("http.status", order, match=BY_NAME, times=-1, status=404, body=NOT_FOUND)
                await self.arm("ws.lose", order, times=-1)
                phase = "after" if reply == "lost" else "before"
                await self.arm("http.close", order, match=POST, phase=phase)
            case "duplicate" | "duplicate_of_another":
                await self.arm("ws.lose", order, times=-1)
                await self.enter(order, **({"qty": "50"} if reply == "duplicate_of_another" else {}))

    async def answered(self, order: str, reply: str) -> None:
        """Learn the exchange's id of the order that was sent."""
        orders = (await self._truth())["orders"]
        for each in orders:
            if each["client_order_id"] == self.name(order):
                self.ids[order] = each["id"]
        if reply.startswith("duplicate"):
            await self.disarm("ws.lose", order)

    async def hide(self, order: str) -> None:
        """Leave it out of every list."""
        await self.arm("http.body", order, match=ORDERS, times=-1, body="[]")

    async def appear(self, step: Step) -> None:
        for fault in ("http.status", "http.body", "ws.lose"):
            await self.disarm(fault, step.order)

    async def enter(self, order: str, **changes: str) -> None:
        """An order placed with the broker's own means."""
        terms = self.story.terms(order) | changes
        body = {
            "client_order_id": self.name(order),
            "symbol": self.symbol,
            "side": terms["side"],
            "qty": terms["qty"],
            "type": "limit",
            "limit_price": terms["px"],
            "time_in_force": terms["tif"],
        }
        self.ids[order] = (await self.ctl("foreign_order", body))["id"]

    # The market, the company, the calendar.

    async def price(self, step: Step) -> None:
        quote = {"bid": "89.98", "ask": step.more["name"], "ask_size": step.more["size"]}
        await self.ctl("prices", {self.symbol: quote})

    async def split(self, step: Step) -> None:
        body = {"symbol": self.symbol, "ratio": "2", "orders": step.more["name"]}
        await self.ctl("split", body)

    # Faults, and what the exchange has seen.

    async def arm(
        self, fault: str, order: str, *, match: Mapping[str, str] | None = None, **terms: Any
    ) -> None:
        """For one order, unless `match` names a request."""
        about = {"order_id": self.ids[order]} if order in self.ids else {"cid": self.name(order)}
        wanted = dict(match or {}) if match and "path" in match else {**about, **(match or {})}
        armed = await asyncio.to_thread(self.exchange.arm, fault, match=wanted, **terms)
        self.armed[fault, order] = armed

    async def disarm(self, fault: str, order: str) -> None:
        if armed := self.armed.pop((fault, order), None):
            await asyncio.to_thread(self.exchange.ctl, "DELETE", f"faults/{armed}")

    async def leave(self) -> None:
        """Nothing of this story concerns the next one."""
        await asyncio.to_thread(self.exchange.ctl, "DELETE", "faults")

    async def status(self, order: str) -> str:
        orders = (await self._truth())["orders"]
        return next(str(each["status"]) for each in orders if each["id"] == self.ids[order])

    async def requests(self, method: str, path: str) -> int:
        """How often it was asked about an order of this story."""
        asked = await asyncio.to_thread(self.exchange.ctl, "GET", "requests?after=0")
        known = (f"{self.story.name}-", *self.ids.values())
        words = [
            f"{each['path']} {each['query']} {each['body']}"
            for each in asked
            if each["method"] == method and each["path"].startswith(path)
        ]
        return sum(any(name in word for name in known) for word in words)

    async def told(self) -> int:
        """How many messages have reached a listener, once all have left that are going to leave."""
        await self.ctl("quiesce", {})
        events = await asyncio.to_thread(self.exchange.ctl, "GET", "events?after=0")
        return sum("sent" in event["delivery"].values() for event in events)

    async def ctl(self, path: str, body: object) -> Any:
        return await asyncio.to_thread(self.exchange.ctl, "POST", path, body)

    async def _truth(self) -> Any:
        return await asyncio.to_thread(self.exchange.truth)
