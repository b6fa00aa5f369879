"""The client and a whole gateway: what is written is read, what is refused is raised, what is lost found."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx2
import pytest

from gateway.client import AsyncClient, Client, Conflict, Invalid, NoAnswer, NotFound, Patience, Unavailable
from tests.contract.by_hand import REASON
from tests.kit.house import LOCAL, House
from tests.kit.served import served

LIMIT = {"symbol": "AAPL", "side": "buy", "qty": 10, "order_type": "limit", "limit_price": Decimal("90.50")}


class Lossy(httpx2.AsyncBaseTransport):
    """Brings every request to the gateway, and loses the answers of the next few."""

    def __init__(self, house: House, *, lost: int) -> None:
        self._inner, self.lost, self.brought = httpx2.ASGITransport(app=house.app), lost, list[str]()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.brought.append(f"{request.method} {request.url.path}")
        response = await self._inner.handle_async_request(request)
        if self.lost:
            self.lost -= 1
            raise httpx2.ReadError("the line went dead")
        return response


async def test_an_order_is_submitted_read_back_and_canceled(client: AsyncClient) -> None:
    placed = await client.submit_order(**LIMIT, client_order_id="typed")
    assert (placed.client_order_id, placed.qty, placed.limit_price) == ("typed", 10, Decimal("90.5"))
    assert client.position == placed.ledger_position > 0
    detail = await client.order_detail("typed")
    assert detail.created_at == placed.created_at
    assert detail.ledger_position >= placed.ledger_position
    canceled = await client.cancel_order("typed", reason=REASON, requested_by="alice")
    assert canceled.client_order_id == "typed"
    timeline = await client.order_timeline("typed")
    assert [event.topic for event in timeline.events][:2] == ["order.submitted", "order.accepted"]
    assert timeline.gates[-1].verdict == "pass"


async def test_what_was_written_is_in_every_list_read_after_it(client: AsyncClient) -> None:
    """No wait and no position named: the client carries the one it was told."""
    for number in range(20):
        name = f"mine-{number}"
        await client.submit_order(**LIMIT | {"limit_price": Decimal(50 + number)}, client_order_id=name)
        pending = await client.list_pending_orders(limit=1000)
        assert name in {order.client_order_id for order in pending.orders}


async def test_the_same_call_twice_is_one_order(house: House, client: AsyncClient) -> None:
    first = await client.submit_order(**LIMIT, client_order_id="once")
    again = await client.submit_order(**LIMIT, client_order_id="once")
    assert (again.client_order_id, again.broker_order_id) == (first.client_order_id, first.broker_order_id)
    assert again.message == "Order already exists (idempotent retry)"
    assert house.posts("once") == 1


async def test_two_orders_without_an_id_are_two_orders(client: AsyncClient) -> None:
    one, other = [await client.submit_order(**LIMIT) for _ in range(2)]
    assert one.client_order_id != other.client_order_id


async def test_a_lost_answer_is_found_and_nothing_is_sent_twice(house: House) -> None:
    line = Lossy(house, lost=1)
    async with AsyncClient(LOCAL, house.token(), transport=line) as client:
        order = await client.submit_order(**LIMIT, client_order_id="lost")
    assert (order.client_order_id, order.message) == ("lost", "")
    assert line.brought == ["POST /api/v1/orders", "GET /api/v1/orders/lost"]
    assert house.posts("lost") == 1


async def test_a_dead_line_is_given_up_with_the_id_to_ask_for(house: House) -> None:
    line = Lossy(house, lost=1000)
    patience = Patience(tries=2, longest_pause_seconds=0.01)
    async with AsyncClient(LOCAL, house.token(), patience=patience, transport=line) as client:
        with pytest.raises(NoAnswer) as caught:
            await client.submit_order(**LIMIT)
        assert caught.value.client_order_id is not None
        line.lost = 0
        found = await client.order_detail(caught.value.client_order_id)
    assert found.limit_price == Decimal("90.5")
    assert house.posts(caught.value.client_order_id) == 1


async def test_nobody_listening_is_said_as_such() -> None:
    patience = Patience(tries=2, longest_pause_seconds=0.01)
    with Client("http://127.0.0.1:1", "no token", patience=patience) as client:
        with pytest.raises(NoAnswer) as caught:
            client.submit_order(symbol="AAPL", side="buy", qty=1)
        assert not caught.value.sent


async def test_refusals_are_raised_by_kind_with_their_facts(house: House, client: AsyncClient) -> None:
    with pytest.raises(NotFound) as unknown:
        await client.order_detail("nobody knows me?")
    assert unknown.value.code == "order_not_found"
    await client.submit_order(**LIMIT, client_order_id="taken")
    with pytest.raises(Conflict) as conflict:
        await client.submit_order(**LIMIT | {"qty": 11}, client_order_id="taken")
    assert conflict.value.facts["differences"]
    with pytest.raises(Invalid) as limit:
        await client.submit_order(symbol="AAPL", side="buy", qty=1001)
    assert (limit.value.code, limit.value.gate) == ("position_limit_exceeded", "position_reservation")
    await client.engage_kill_switch(reason="a test says so", operator="alice")
    with pytest.raises(Unavailable) as stopped:
        await client.submit_order(symbol="AAPL", side="buy", qty=1)
    assert (stopped.value.code, stopped.value.retry_after) == ("kill_switch_engaged", None)


async def test_controls_work_over_the_client(client: AsyncClient) -> None:
    engaged = await client.engage_kill_switch(
        reason="a test says so",
        operator="alice",
        scope="symbol",
        target="MSFT",
        details={"n": Decimal("1.50")},
    )
    assert (engaged.state, engaged.target) == ("ENGAGED", "MSFT")
    assert (await client.kill_switch_status()).scopes == ("symbol:MSFT",)
    await client.disengage_kill_switch(operator="alice", scope="symbol", target="MSFT")
    limits = await client.set_fat_finger_thresholds(
        symbol_overrides={"AAPL": {"max_qty": 500, "max_notional": None}}
    )
    assert limits.symbol_overrides["AAPL"].max_qty == 500
    plan = await client.slice_order(
        symbol="AAPL", side="buy", qty=30, duration_minutes=3, client_order_id="p"
    )
    assert [one.qty for one in plan.slices] == [10, 10, 10]
    canceled = await client.cancel_slices(plan.parent_order_id)
    assert canceled.db_canceled in (2, 3)  # the first may have gone out by now
    assert len(await client.list_slices(plan.parent_order_id)) == 3
    assert "execution_gateway_orders_total" in await client.metrics()
    assert (await client.verify_ledger(first=1)).ok


async def test_manual_orders_are_known_by_their_key(house: House, client: AsyncClient) -> None:
    asked = {"reason": REASON, "requested_by": "alice", "idempotency_key": "by-hand-1"}
    first = await client.submit_manual_order(**LIMIT, **asked)
    again = await client.submit_manual_order(**LIMIT, **asked)
    assert again.client_order_id == first.client_order_id
    assert again.message == "Order already submitted (idempotent retry)"


async def test_the_blocking_client_does_the_same_over_a_socket(house: House) -> None:
    token = house.token()

    def trade(address: str) -> tuple[str, int]:
        with Client(address, token) as client:
            order = client.submit_order(**LIMIT, client_order_id="blocking")
            pending = client.list_pending_orders()
            return order.client_order_id, pending.total

    async with served(house) as address:
        assert await asyncio.to_thread(trade, address) == ("blocking", 1)
