"""Server-sent events over a real connection: every event once, in order, for whoever may see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from gateway.api.routes import event_stream
from tests.contract.steps import resting_order
from tests.kit.house import House
from tests.kit.served import served

STREAM = "/api/v1/events/stream"


@dataclass(frozen=True, slots=True)
class Sent:
    id: int
    event: str
    data: Any


@asynccontextmanager
async def listening(
    house: House,
    address: str,
    *,
    headers: dict[str, str] | None = None,
    token: str | None = None,
    **params: Any,
) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of the stream."""
    said = {"Authorization": f"Bearer {token or house.token()}", **(headers or {})}
    async with (
        httpx2.AsyncClient(base_url=address, headers=said, timeout=20) as client,
        client.stream("GET", STREAM, params=params) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response.aiter_lines()


async def take(lines: AsyncIterator[str], count: int) -> list[Sent]:
    """The next events; comments are passed over."""
    found: list[Sent] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(10):
        while len(found) < count:
            line = await anext(lines)
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                found.append(Sent(int(fields["id"]), fields["event"], json.loads(fields["data"])))
                fields = {}
    return found


async def test_an_event_is_sent_as_the_page_of_events_shows_it(house: House) -> None:
    async with served(house) as address, listening(house, address, after=0) as lines:
        await resting_order(house, client_order_id="told")
        page = (await house.client.get("/api/v1/events", params={"limit": 1000})).json()["events"]
        sent = await take(lines, len(page))
    assert [event.data for event in sent] == page
    assert [(event.id, event.event) for event in sent] == [(e["position"], e["topic"]) for e in page]


async def test_without_a_place_it_starts_at_the_head_and_goes_on_live(house: House) -> None:
    await resting_order(house, client_order_id="before")
    async with served(house) as address, listening(house, address, topic="order.submitted") as lines:
        await resting_order(house, client_order_id="after", limit_price="89")
        (sent,) = await take(lines, 1)
    assert sent.data["client_order_id"] == "after"


async def test_a_reader_that_resumes_misses_nothing_and_sees_nothing_twice(house: House) -> None:
    async with served(house) as address:
        async with listening(house, address, after=0) as lines:
            first = await take(lines, 3)
        orders = [resting_order(house, client_order_id=f"many-{i}", limit_price="50") for i in range(20)]
        await asyncio.gather(*orders)
        head = await house.gateway.ledger.log.head()
        resume = {"Last-Event-ID": str(first[-1].id)}
        async with listening(house, address, headers=resume, after=0) as lines:
            rest = await take(lines, head - first[-1].id)
    assert [event.id for event in first + rest] == list(range(1, head + 1))


async def test_symbol_and_strategy_cut_the_stream(house: House) -> None:
    async with served(house) as address:
        asked = listening(house, address, after=0, topic="order.submitted", symbol="msft")
        async with asked as lines:
            await resting_order(house, client_order_id="apple")
            await resting_order(house, client_order_id="micro", symbol="MSFT", limit_price="150")
            (sent,) = await take(lines, 1)
    assert (sent.data["client_order_id"], sent.data["symbol"]) == ("micro", "MSFT")


async def test_events_of_strategies_outside_the_scope_are_left_out(house: House) -> None:
    token = house.token("viewer", sub="carol", strategies=("beta",))
    async with served(house) as address:
        await resting_order(house, client_order_id="not-hers")
        await resting_order(house, client_order_id="hers", strategy_id="beta", limit_price="80")
        async with listening(house, address, token=token, after=0, topic="order.submitted") as lines:
            (sent,) = await take(lines, 1)
    assert sent.data["client_order_id"] == "hers"


@pytest.mark.parametrize(
    ("params", "headers", "status"),
    [
        ({"strategy_id": "alpha_baseline"}, {}, 403),
        ({"after": "-1"}, {}, 422),
        ({"after": "999999"}, {}, 422),
        ({}, {"Last-Event-ID": "soon"}, 422),
    ],
)
async def test_what_is_wrong_with_a_subscription_is_said_before_it_begins(
    house: House, params: dict[str, str], headers: dict[str, str], status: int
) -> None:
    client = house.as_role("viewer", strategies=("beta",))
    refused = await client.get(STREAM, params=params, headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")


async def test_silence_is_broken_by_a_comment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.2)
    async with served(house) as address, listening(house, address, topic="no.such") as lines:
        async with asyncio.timeout(5):
            assert (await anext(lines)).startswith(":")


async def test_a_reader_that_stops_reading_is_disconnected(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket whose buffers are full looks like this to the app: a `send` that does not come back."""
    monkeypatch.setattr(event_stream, "PATIENCE_SECONDS", 0.3)
    taken: list[str] = []

    async def receive() -> Message:
        return await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        taken.append(message["type"])
        if len(taken) == 3:
            await asyncio.Future[None]()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": STREAM,
        "raw_path": STREAM.encode(),
        "query_string": b"after=0",
        "headers": [(b"authorization", f"Bearer {house.token()}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    async with asyncio.timeout(5):
        await house.app(scope, receive, send)
    assert taken == ["http.response.start", "http.response.body", "http.response.body"]


async def test_an_open_stream_ends_when_the_service_drains(house: House) -> None:
    async with served(house) as address, listening(house, address, topic="no.such") as lines:
        house.gateway.phase.draining = True
        async with asyncio.timeout(5):
            assert [line async for line in lines if line and not line.startswith(":")] == []
