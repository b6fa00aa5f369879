"""Submissions, cancels and look-ups against a server that misbehaves in every way the tables name."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from gateway.adapters.alpaca import AlpacaBroker, AlpacaSettings
from gateway.adapters.alpaca_client import Limits, Trading, UnsafeClient
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.vocabulary import OrderId
from gateway.ports import (
    Absent,
    Accepted,
    CancelRefused,
    CancelTaken,
    CancelUnknown,
    Duplicate,
    Found,
    NotSent,
    RateLimited,
    Rejected,
    Unknown,
    Unreadable,
)
from tests.adapters.said import ID, TICKET, order, without
from tests.adapters.talking import HTML, broker_at, error, talking
from tests.adapters.wire import (
    Asked,
    Behaviour,
    answer,
    cut,
    drip,
    hang_up,
    message,
    say_nothing,
    self_signed,
    wire,
)
from tests.kit.covers import covers


@covers("BI:B-62", "BI:B-63", "BI:B-64", "FC:A-04", "FC:A-08", "FM:F-062", "FM:F-067", "FM:F-068")
@pytest.mark.parametrize(
    ("behaves", "outcome"),
    [
        pytest.param(answer(200, order()), Accepted, id="a readable order of ours"),
        pytest.param(answer(200, order(status="held_for_fun")), Accepted, id="a status nobody knows"),
        pytest.param(answer(200, order(client_order_id="another")), Unknown, id="another client order id"),
        pytest.param(answer(200, order(symbol="MSFT")), Unknown, id="another symbol"),
        pytest.param(answer(200, order(side="sell")), Unknown, id="another side"),
        pytest.param(answer(200, without(order(), "id")), Unknown, id="no order id"),
        pytest.param(answer(200, order(qty="lots")), Unknown, id="a quantity that is no number"),
        pytest.param(answer(200, HTML), Unknown, id="html with 200"),
        pytest.param(answer(200, []), Unknown, id="a list with 200"),
        pytest.param(answer(200, b"null"), Unknown, id="null with 200"),
        pytest.param(answer(200), Unknown, id="nothing with 200"),
        pytest.param(answer(204), Unknown, id="204"),
        pytest.param(cut(order(), after=40), Unknown, id="a body cut short"),
        pytest.param(
            error(422, 40010001, "client_order_id must be unique"), Duplicate, id="duplicate client order id"
        ),
        pytest.param(error(422, 40010001, "Client_Order_ID Must Be UNIQUE"), Duplicate, id="in any case"),
        pytest.param(error(409, None, "conflict"), Duplicate, id="409"),
        pytest.param(error(401, 40110000, "request is not authorized"), NotSent, id="401"),
        pytest.param(error(403, None, "forbidden."), NotSent, id="403 without a code"),
        pytest.param(answer(403, HTML), NotSent, id="403 in html"),
        pytest.param(error(403, 40310000, "insufficient buying power"), Rejected, id="403 with a code"),
        pytest.param(error(422, 42210000, "sub-penny increment"), Rejected, id="422"),
        pytest.param(
            error(422, 40010001, "qty or notional is required"), Rejected, id="422 of the same code"
        ),
        pytest.param(error(400, 40010000, "request body format is invalid"), Rejected, id="400"),
        pytest.param(error(404, 40410000, "asset not found for X"), Rejected, id="404"),
        pytest.param(answer(422, HTML), Unknown, id="422 in html"),
        pytest.param(answer(404, HTML), Unknown, id="404 in html"),
        pytest.param(answer(400), Unknown, id="400 with nothing"),
        pytest.param(error(429, 42910000, "too many requests"), RateLimited, id="429"),
        pytest.param(answer(429, HTML), RateLimited, id="429 in html"),
        pytest.param(answer(408), Unknown, id="408"),
        pytest.param(answer(425), Unknown, id="425"),
        pytest.param(error(418, 1, "a teapot"), Unknown, id="any other 4xx"),
        pytest.param(error(500, 50010000, "internal server error"), Unknown, id="500"),
        pytest.param(answer(502, HTML), Unknown, id="502"),
        pytest.param(answer(503), Unknown, id="503"),
        pytest.param(answer(504), Unknown, id="504"),
        pytest.param(hang_up, Unknown, id="the connection is dropped"),
        pytest.param(say_nothing, Unknown, id="no answer"),
    ],
)
async def test_an_answer_proves_what_the_table_says_after_exactly_one_request(
    behaves: Behaviour, outcome: type[object]
) -> None:
    async with talking(behaves) as (broker, served):
        assert isinstance(await broker.submit(ID, TICKET), outcome)
        assert [asked.method for asked in served.asked] == ["POST"]


async def test_a_rejection_keeps_the_brokers_words_and_code() -> None:
    async with talking(error(403, 40310000, "insufficient buying power", buying_power="0")) as (broker, _):
        outcome = await broker.submit(ID, TICKET)
    assert outcome == Rejected(code="40310000", message="insufficient buying power")


async def test_a_submission_is_exact_strings_and_nothing_the_ticket_does_not_need() -> None:
    async with talking(answer(200, order())) as (broker, served):
        await broker.submit(ID, TICKET)
    assert served.asked[0].path == "/v2/orders"
    assert served.asked[0].json() == {
        "symbol": "AAPL",
        "qty": "2",
        "side": "buy",
        "type": "limit",
        "limit_price": "150.10",
        "time_in_force": "day",
        "client_order_id": "ord-7f2c",
    }


@covers("FM:F-060")
async def test_nobody_listening_proves_that_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with broker_at(url) as broker:
        assert isinstance(await broker.submit(ID, TICKET), NotSent)


@covers("FM:F-060")
async def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent() -> None:
    async with broker_at("http://broker.invalid", deadline=5.0) as broker:
        assert isinstance(await broker.submit(ID, TICKET), NotSent)


@covers("FM:F-060")
async def test_a_certificate_nobody_vouches_for_proves_that_nothing_was_sent(tmp_path: Path) -> None:
    async with (
        wire(answer(200, order()), tls=self_signed(tmp_path)) as served,
        broker_at(served.url) as broker,
    ):
        outcome = await broker.submit(ID, TICKET)
        assert outcome == NotSent(reason="no connection to the broker: SSLError")
        assert served.asked == []


@covers("FM:F-060")
async def test_a_connection_that_is_never_taken_proves_that_nothing_was_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        async with broker_at(f"http://127.0.0.1:{full.getsockname()[1]}") as broker:
            assert isinstance(await broker.submit(ID, TICKET), NotSent)
        for one in crowd:
            one.close()


@covers("FM:F-074")
async def test_a_redirect_is_not_followed_and_the_keys_go_nowhere_else() -> None:
    async with wire(answer(200, order())) as elsewhere:
        to_there = answer(307, b"", {"location": f"{elsewhere.url}/v2/orders"})
        async with talking(to_there) as (broker, served):
            assert isinstance(await broker.submit(ID, TICKET), Unknown)
            assert len(served.asked) == 1
        assert elsewhere.asked == []


@covers("FC:A-05", "FM:F-069")
async def test_a_dripping_body_is_unknown_within_the_deadline_and_its_order_arrives_late() -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    body = message(200, order()).partition(b"\r\n\r\n")[2]
    async with talking(drip(body, every=0.001), late_reply=arrived.put, deadline=0.3) as (broker, served):
        started = time.monotonic()
        assert isinstance(await broker.submit(ID, TICKET), Unknown)
        assert time.monotonic() - started < 0.6
        assert await asyncio.wait_for(arrived.get(), 10) == body
        assert len(served.asked) == 1


@covers("FM:F-011")
async def test_a_cancelled_caller_still_gets_its_order_delivered() -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def slowly(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(message(200, order()))

    async with talking(slowly, late_reply=arrived.put) as (broker, served):
        task = asyncio.create_task(broker.submit(ID, TICKET))
        await served.reached(1)
        task.cancel()
        assert b"ord-7f2c" in await asyncio.wait_for(arrived.get(), 5)


@covers("FC:A-05")
async def test_hanging_submissions_never_starve_a_cancel() -> None:

    async def only_cancels(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "POST":
            await asyncio.sleep(60)
        writer.write(message(204))

    async with talking(only_cancels, read_timeout=5.0, deadline=5.0, submit_threads=2) as (broker, served):
        hanging = [asyncio.create_task(broker.submit(ID, TICKET)) for _ in range(2)]
        await served.reached(2)
        started = time.monotonic()
        assert await broker.cancel(OrderId("o-1")) == CancelTaken()
        assert time.monotonic() - started < 0.5
        assert isinstance(await broker.submit(ID, TICKET), NotSent), "no thread was free"
        for task in hanging:
            task.cancel()


@pytest.mark.parametrize(
    ("behaves", "outcome"),
    [
        (answer(204), CancelTaken),
        (error(422, 42210000, 'order is already in "filled" state'), CancelRefused),
        (error(404, 40410000, "order not found for o-1"), CancelRefused),
        (answer(404, HTML), CancelUnknown),
        (answer(422), CancelUnknown),
        (answer(200, HTML), CancelUnknown),
        (answer(301), CancelUnknown),
        (answer(429), CancelUnknown),
        (answer(503), CancelUnknown),
        (hang_up, CancelUnknown),
        (say_nothing, CancelUnknown),
    ],
)
async def test_a_cancel_is_taken_or_refused_only_on_readable_words(
    behaves: Behaviour, outcome: type[object]
) -> None:
    async with talking(behaves) as (broker, served):
        assert isinstance(await broker.cancel(OrderId("o-1")), outcome)
        assert [asked.method for asked in served.asked] == ["DELETE"]


@covers("SEC:S-40")
async def test_an_order_id_is_one_segment_of_a_path_whatever_it_contains() -> None:
    async with talking(answer(204)) as (broker, served):
        await broker.cancel(OrderId("../account?x=1"))
    assert served.asked[0].target == "/v2/orders/..%2Faccount%3Fx%3D1"


@covers("FC:A-02")
@pytest.mark.parametrize(
    ("behaves", "outcome"),
    [
        (answer(200, order()), Found),
        (error(404, 40410000, "order not found for ord-7f2c"), Absent),
        (error(404, None, "not found"), Unreadable),
        (answer(404, HTML), Unreadable),
        (answer(200, order(client_order_id="another")), Unreadable),
        (answer(200, []), Unreadable),
        (error(422, 40010001, "order_id is missing"), Unreadable),
        (answer(429), Unreadable),
        (answer(500), Unreadable),
        (hang_up, Unreadable),
        (say_nothing, Unreadable),
    ],
)
async def test_only_a_well_formed_not_found_is_an_absence(behaves: Behaviour, outcome: type[object]) -> None:
    async with talking(behaves) as (broker, served):
        assert isinstance(await broker.order_by_client_id(ID), outcome)
    assert served.asked[0].path == "/v2/orders:by_client_order_id"
    assert served.asked[0].query == {"client_order_id": ID}


async def test_a_look_up_by_the_brokers_id_takes_no_other_order() -> None:
    async with talking(answer(200, order())) as (broker, _):
        assert isinstance(await broker.order_by_id(OrderId(order()["id"])), Found)
        assert isinstance(await broker.order_by_id(OrderId("another")), Unreadable)


@covers("FC:A-17", "FM:F-063")
async def test_after_a_429_the_order_is_looked_up_and_cancels_leave_but_no_submission_does() -> None:
    async def refusing(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method == "POST":
            writer.write(message(429, b"", {"retry-after": "7"}))
        elif asked.method == "DELETE":
            writer.write(message(204))
        else:
            writer.write(message(404, {"code": 40410000, "message": "order not found"}))

    async with talking(refusing) as (broker, served):
        assert await broker.submit(ID, TICKET) == RateLimited(retry_after=7)
        assert await broker.order_by_client_id(ID) == Absent()
        assert isinstance(await broker.submit(ID, TICKET), NotSent)
        assert await broker.cancel(OrderId("o-1")) == CancelTaken()
        assert [asked.method for asked in served.asked] == ["POST", "GET", "DELETE"]


async def test_every_call_is_counted_by_operation_and_status() -> None:
    seen: list[tuple[str, str]] = []
    for behaves in (answer(200, order()), answer(503), say_nothing, hang_up):
        async with talking(behaves, observe=lambda *call: seen.append(call)) as (broker, _):
            await broker.submit(ID, TICKET)
    assert seen == [("submit", word) for word in ("success", "error", "timeout", "error")]


def test_an_empty_key_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="method of authentication"):
        AlpacaBroker(AlpacaSettings(key="", secret="s", base_url="http://localhost"), clock=SystemClock())


def test_the_keys_are_not_in_the_words_of_the_settings() -> None:
    words = repr(AlpacaSettings(key="my-key", secret="my-secret", base_url="http://localhost"))
    assert "my-key" not in words
    assert "my-secret" not in words


@covers("FC:A-04", "FM:F-073")
@pytest.mark.parametrize("loosened", ["retry", "environment"])
def test_a_client_that_could_repeat_or_divert_a_request_is_found_out(loosened: str) -> None:
    client = Trading("key", "secret", "http://localhost", Limits())
    client.check()
    if loosened == "retry":
        client._retry = 3
    else:
        client._session.trust_env = True
    with pytest.raises(UnsafeClient):
        client.check()
