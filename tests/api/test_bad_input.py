"""The catalogue of bad input, against the app: one row, one request, one expected answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi import Request

from gateway.api.body import read_bounded
from gateway.api.refusals import BodyTooSlow
from tests.api.doubles import NOW
from tests.api.house import Straw
from tests.corpus.bad.bodies import ACCEPTED, ORDER, REFUSED, raw
from tests.kit.covers import covers

JSON = {"Content-Type": "application/json"}


@covers("SEC:S-33", "SEC:S-34", "SEC:S-35", "SEC:S-36", "SEC:S-43", "SEC:S-72", "FC:B-20")
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
async def test_bad_input_is_422_with_one_body_that_repeats_nothing(straw: Straw, body: bytes) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=straw.bearer() | JSON)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "request_validation"
    assert problem["detail"].startswith("request_validation: ")
    assert all(set(error) == {"type", "loc", "msg"} for error in problem["errors"])
    assert straw.desk.calls == []
    good = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    assert good.status_code == 200


@covers("SEC:S-01")
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
async def test_without_credentials_bad_input_is_401(straw: Straw, body: bytes) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_what_is_unusual_but_right_is_accepted(straw: Straw, body: bytes) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=straw.bearer() | JSON)
    assert answer.status_code == 200, answer.text


@covers("BI:B-33", "BI:B-42")
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ],
)
async def test_another_content_type_is_422(straw: Straw, content_type: str | None) -> None:
    headers = straw.bearer() | ({"Content-Type": content_type} if content_type else {})
    answer = await straw.ask("POST", "/api/v1/orders", content=json.dumps(ORDER).encode(), headers=headers)
    assert answer.status_code == 422


@covers("BI:B-14", "SEC:S-35")
@pytest.mark.parametrize("size", [70_000, 1_000_000])
async def test_a_body_beyond_the_limit_is_413(straw: Straw, size: int) -> None:
    body = raw("symbol", json.dumps("A" * size))
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=straw.bearer() | JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@covers("BI:B-34")
async def test_a_body_without_an_announced_length_is_cut_off_while_it_streams(straw: Straw) -> None:
    """Chunks without end."""
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 10_000_000:
            sent += 8192
            yield b" " * 8192

    answer = await straw.ask("POST", "/api/v1/orders", content=endless(), headers=straw.bearer() | JSON)
    assert answer.status_code == 413


async def test_an_oversized_body_without_credentials_is_401(straw: Straw) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=b" " * 70_000, headers=JSON)
    assert answer.status_code == 401


@covers("BI:B-50", "SEC:S-37")
@pytest.mark.parametrize("key", ["x" * 10_000, "x" * 129, "", "two words", "ключ".encode(), b"\xff"])
async def test_an_unusable_idempotency_key_is_422(straw: Straw, key: str | bytes) -> None:
    value = key if isinstance(key, bytes) else key.encode()
    headers = [*((k.encode(), v.encode()) for k, v in straw.bearer().items()), (b"Idempotency-Key", value)]
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=headers)
    assert answer.status_code == 422


@covers("BI:B-10", "BI:B-36", "BI:B-54", "SEC:S-38")
@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "limit=0",
        "limit=-1",
        "limit=1000000000",
        "after=1&after=2",
        "after=x",
        "after=1_0",
        "limit=%2B5",
        "limit=5.0",
        "limit=%205",
        "after=%D9%A1",
        "symbol=a%2Fb",
    ],
)
async def test_queries_out_of_bounds_are_422(straw: Straw, query: str) -> None:
    answer = await straw.ask("GET", f"/api/v1/events?{query}", headers=straw.bearer())
    assert answer.status_code == 422, answer.text


@covers("BI:B-55")
@pytest.mark.parametrize("position", ["0", "-1", "42", "x", "1.0", "\uff19"])
async def test_a_position_that_cannot_be_is_422(straw: Straw, position: str) -> None:
    answer = await straw.ask("GET", f"/api/v1/events?min_position={position}", headers=straw.bearer())
    assert answer.status_code == 422


@covers("BI:B-38")
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/orders/",
        "/api/v1/Orders",
        "//api/v1/orders",
        "/api/v1//orders",
        "/api/v1/orders/%2e%2e/config",
        "/health/",
        "/nothing",
    ],
)
async def test_another_spelling_of_a_path_is_404_and_no_redirect(straw: Straw, path: str) -> None:
    answer = await straw.ask("POST", path, json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@covers("BI:B-37")
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH"])
async def test_an_undeclared_method_is_405(straw: Straw, method: str) -> None:
    headers = straw.bearer() | {"X-HTTP-Method-Override": "POST"}
    answer = await straw.ask(method, "/api/v1/orders", headers=headers)
    assert answer.status_code == 405
    assert straw.desk.calls == []


@covers("BI:B-24", "BI:B-51")
@pytest.mark.parametrize("client_order_id", ["..%2fx", "%00", "a%20b", "x" * 500, "%ff", "é"])
async def test_a_path_id_is_never_a_reason_for_422(straw: Straw, client_order_id: str) -> None:
    """Nothing but the id itself names an order."""
    answer = await straw.ask("POST", f"/api/v1/orders/{client_order_id}/cancel", headers=straw.bearer())
    assert answer.status_code == 404


MANUAL = {"reason": "the price ran away", "requested_by": "bob"}


@covers("BI:B-43", "BI:B-44", "BI:B-45", "BI:B-47")
@pytest.mark.parametrize(
    "instant",
    [
        "2024-10-17T14:30:00",
        "2024-10-17",
        "2024-10-17T24:00:00Z",
        "2024-10-17T14:30:60Z",
        "0000-10-17T14:30:00Z",
        "10000-10-17T14:30:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2024-10-17T14:30:00+15:00",
        "2024-10-17T14:30:00 00:00",
        "2024-10-17 14:30:00Z",
        "\uff12024-10-17T14:30:00Z",
        1729175400,
        None,
    ],
)
async def test_an_instant_that_is_none_is_422(straw: Straw, instant: object) -> None:
    body = MANUAL | {"requested_at": instant}
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "request_validation")


@covers("BI:B-45", "BI:B-46")
@pytest.mark.parametrize(
    "instant", ["2024-10-18T04:30:00+14:00", "2024-10-17T00:30:00-14:00", "2024-10-17T14:30:00.123456789z"]
)
async def test_wide_offsets_and_nanoseconds_are_read(straw: Straw, instant: str) -> None:
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = MANUAL | {"requested_at": instant}
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert answer.status_code == 200, answer.text


@covers("BI:B-15", "BI:B-16", "BI:B-18", "BI:B-19", "BI:B-21", "BI:B-22", "BI:B-23")
@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("short", 422),
        ("          ", 422),
        ("a reason\x00 with a NUL", 422),
        ("a reason\x1b[2J with an escape", 422),
        ("una razón — 🚀 \u202e café cafe\u0301 a\u200db", 200),
        ("{{7*7}} ${jndi:ldap://x} %s' or 1=1 --", 200),
    ],
)
async def test_free_text_is_kept_as_sent_or_refused(straw: Straw, reason: str, status: int) -> None:
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = MANUAL | {"reason": reason, "requested_at": NOW.isoformat()}
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert answer.status_code == status, answer.text
    if status == 200:
        assert straw.desk.calls[-1][1]["reason"] == reason


@covers("BI:B-40")
async def test_a_body_that_dribbles_in_is_given_up() -> None:

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(BodyTooSlow, match=r"0\.1 seconds"):
        await read_bounded(request, 1_000_000, patience_seconds=0.1)


@covers("BI:B-21", "SEC:S-62")
async def test_a_reason_of_several_lines_is_one_line_on_record(straw: Straw) -> None:
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = MANUAL | {"reason": "a line\r\nlevel=critical forged", "requested_at": NOW.isoformat()}
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert answer.status_code == 200
    assert straw.desk.calls[-1][1]["reason"] == "a line level=critical forged"
