"""The catalogue of bad input, against the app: one row, one request, one expected answer."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from fastapi import Request

from gateway.api.body import read_bounded
from gateway.api.refusals import BodyTooSlow
from tests.api.doubles import NOW
from tests.api.house import Straw

ORDER: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "qty": 10}
LIMIT: dict[str, Any] = ORDER | {"order_type": "limit"}
JSON = {"Content-Type": "application/json"}


def raw(field: str, literal: str, **others: object) -> bytes:
    """An order with one field written as given, to the letter."""
    fields = [f"{json.dumps(k)}:{json.dumps(v)}" for k, v in {**ORDER, **others}.items() if k != field]
    return ("{" + ",".join([*fields, f"{json.dumps(field)}:{literal}"]) + "}").encode()


def limit(literal: str) -> bytes:
    return raw("limit_price", literal, order_type="limit")


REFUSED = {
    "B-01 zero": raw("qty", "0"),
    "B-01 minus zero": raw("qty", "-0"),
    "B-01 negative": raw("qty", "-1"),
    "B-01 price zero": limit("0"),
    "B-01 price minus zero": limit('"-0"'),
    "B-01 negative price": limit("-1.5"),
    "B-02 sub-penny from 1.00": limit("150.005"),
    "B-02 five decimals below 1.00": limit('"0.12345"'),
    "B-03 beyond a billion": raw("qty", "1000000001"),
    "B-04 fractional": raw("qty", "1.5"),
    "B-04 fractional text": raw("qty", '"0.5"'),
    "B-05 notional": raw("notional", "100"),
    "B-05 notional without qty": b'{"symbol":"AAPL","side":"buy","notional":100}',
    "B-06 NaN": limit("NaN"),
    "B-06 Infinity": limit("Infinity"),
    "B-06 minus Infinity": limit("-Infinity"),
    "B-06 NaN text": limit('"NaN"'),
    "B-06 Infinity text": limit('"Infinity"'),
    "B-06 qty 1e2": raw("qty", "1e2"),
    "B-06 huge exponent text": limit('"1E+5000"'),
    "B-06 huge exponent": limit("1e400"),
    "B-06 tiny exponent": limit('"1e-400"'),
    "B-06 exponent of 10000 digits": limit("1e" + "9" * 10_000),
    "B-07 leading zeros": limit('"007"'),
    "B-07 leading zeros in a number": limit("007"),
    "B-07 plus": limit('"+5"'),
    "B-08 comma": limit('"1,5"'),
    "B-09 percent": limit('"5%"'),
    "B-09 currency": limit('"$5"'),
    "B-10 thin space": limit('"1\\u2009000"'),
    "B-10 underscore": limit('"1_000"'),
    "B-10 surrounding blanks": limit('" 5 "'),
    "B-10 full-width": limit('"\\uff15"'),
    "B-10 arabic digits": limit('"\\u0665"'),
    "B-11 subnormal": limit("4.9e-324"),
    "B-11 a thousand decimals": limit("0." + "1" * 1000),
    "B-12 more digits than a context holds": limit("1." + "0" * 30 + "1"),
    "B-12 an integer of 5000 digits": raw("qty", "9" * 5000),
    "B-13 empty": raw("symbol", '""'),
    "B-13 blanks": raw("symbol", '"   "'),
    "B-15 NUL": raw("symbol", '"AA\\u0000PL"'),
    "B-15 control": raw("symbol", '"AAPL\\u0007"'),
    "B-16 composed character": raw("symbol", '"\\u00c9TN"'),
    "B-17 Cyrillic A": raw("symbol", '"\\u0410APL"'),
    "B-17 long s": raw("symbol", '"\\u017fPY"'),
    "B-17 dotless i": raw("symbol", '"\\u0131BM"'),
    "B-18 emoji": raw("symbol", '"\\ud83d\\ude80"'),
    "B-18 zero width joiner": raw("symbol", '"AA\\u200dPL"'),
    "B-19 bidi": raw("symbol", '"\\u202eAAPL"'),
    "B-20 lone surrogate": raw("symbol", '"\\ud800"'),
    "B-20 lone surrogate in a key": b'{"\\ud800":1}',
    "B-20 invalid UTF-8": b'{"symbol":"\xff\xfe"}',
    "B-20 overlong": b'{"symbol":"\xc0\xaf"}',
    "B-23 SQL in an id": raw("client_order_id", '"\'; drop table x;--"'),
    "B-23 CRLF in an id": raw("client_order_id", '"a\\r\\nSET x 1"'),
    "B-24 traversal in an id": raw("client_order_id", '"../../x"'),
    "B-25 slash": raw("symbol", '"BTC/USD"'),
    "B-26 proto": raw("__proto__", '{"a":1}'),
    "B-26 class": raw("__class__", '"x"'),
    "B-27 duplicate keys": b'{"symbol":"AAPL","side":"buy","qty":1,"qty":2}',
    "B-28 comment": b'{"symbol":"AAPL",/* */"side":"buy","qty":1}',
    "B-28 trailing comma": b'{"symbol":"AAPL","side":"buy","qty":1,}',
    "B-29 single quotes": b"{'symbol':'AAPL'}",
    "B-30 scalar": b"5",
    "B-30 array": b"[]",
    "B-30 null": b"null",
    "B-30 empty": b"",
    "B-31 nesting of 15000": b"[" * 15_000 + b"]" * 15_000,
    "B-31 nesting of 33": b'{"a":' * 33 + b"1" + b"}" * 33,
    "B-32 byte-order mark": b"\xef\xbb\xbf" + json.dumps(ORDER).encode(),
    "B-32 UTF-16": json.dumps(ORDER).encode("utf-16"),
    "B-34 gzip": gzip.compress(json.dumps(ORDER).encode()),
    "reserved id": raw("client_order_id", '"pending"'),
    "id too long": raw("client_order_id", json.dumps("x" * 65)),
    "S-16 status": raw("status", '"filled"'),
    "S-16 filled_qty": raw("filled_qty", '"10"'),
    "S-16 actor": raw("actor", '"root"'),
    "S-16 dry_run": raw("dry_run", "false"),
    "unknown side": raw("side", '"hold"'),
    "upper-case side": raw("side", '"BUY"'),
    "trailing_stop": raw("order_type", '"trailing_stop"'),
    "type and order_type differ": raw("type", '"limit"', order_type="market", limit_price="5"),
    "limit without price": raw("order_type", '"limit"'),
    "market with price": raw("limit_price", "5"),
    "stop without stop price": raw("order_type", '"stop"'),
    "stop price on a limit": raw("stop_price", "5", order_type="limit", limit_price="5"),
    "fok on a stop": raw("time_in_force", '"fok"', order_type="stop", stop_price="5"),
    "opg": raw("time_in_force", '"opg"'),
    "price above a million": limit("1000000.01"),
    "qty a boolean": raw("qty", "true"),
    "price a boolean": limit("true"),
    "misspelled field": raw("limitprice", "5"),
}


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


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
async def test_without_credentials_bad_input_is_401(straw: Straw, body: bytes) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")
    assert answer.headers["www-authenticate"] == "Bearer"


ACCEPTED = {
    "B-03 exactly a billion": raw("qty", "1000000000"),
    "B-06 exponent in bounds": limit("15e1"),
    "B-06 exponent in text": limit('"1.5E+2"'),
    "four decimals below one": limit("0.1234"),
    "two decimals": limit('"1.25"'),
    "trailing zeros": limit('"1.2500000"'),
    "B-25 dotted symbol": raw("symbol", '"BRK.B"'),
    "B-25 lower case": raw("symbol", '" brk.b "'),
    "type alone": raw("type", '"limit"', limit_price="5"),
    "type and order_type agree": raw("type", '"limit"', order_type="limit", limit_price="5"),
    "price at a million": limit("1000000"),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
async def test_what_is_unusual_but_right_is_accepted(straw: Straw, body: bytes) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=straw.bearer() | JSON)
    assert answer.status_code == 200, answer.text


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
async def test_b_33_and_b_42_another_content_type_is_422(straw: Straw, content_type: str | None) -> None:
    headers = straw.bearer() | ({"Content-Type": content_type} if content_type else {})
    answer = await straw.ask("POST", "/api/v1/orders", content=json.dumps(ORDER).encode(), headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("size", [70_000, 1_000_000])
async def test_b_14_a_body_beyond_the_limit_is_413(straw: Straw, size: int) -> None:
    body = raw("symbol", json.dumps("A" * size))
    answer = await straw.ask("POST", "/api/v1/orders", content=body, headers=straw.bearer() | JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_without_an_announced_length_is_cut_off_while_it_streams(straw: Straw) -> None:
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


@pytest.mark.parametrize("key", ["x" * 10_000, "x" * 129, "", "two words", "ключ".encode(), b"\xff"])
async def test_b_50_an_unusable_idempotency_key_is_422(straw: Straw, key: str | bytes) -> None:
    value = key if isinstance(key, bytes) else key.encode()
    headers = [*((k.encode(), v.encode()) for k, v in straw.bearer().items()), (b"Idempotency-Key", value)]
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "query",
    ["after=-1", "limit=0", "limit=-1", "limit=1000000000", "after=1&after=2", "after=x", "symbol=a%2Fb"],
)
async def test_b_36_and_b_54_queries_out_of_bounds_are_422(straw: Straw, query: str) -> None:
    answer = await straw.ask("GET", f"/api/v1/events?{query}", headers=straw.bearer())
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("position", ["0", "-1", "42", "x", "1.0", "\uff19"])
async def test_b_55_a_position_that_cannot_be_is_422(straw: Straw, position: str) -> None:
    answer = await straw.ask("GET", f"/api/v1/events?min_position={position}", headers=straw.bearer())
    assert answer.status_code == 422


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
async def test_b_38_another_spelling_of_a_path_is_404_and_no_redirect(straw: Straw, path: str) -> None:
    answer = await straw.ask("POST", path, json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH"])
async def test_b_37_an_undeclared_method_is_405(straw: Straw, method: str) -> None:
    headers = straw.bearer() | {"X-HTTP-Method-Override": "POST"}
    answer = await straw.ask(method, "/api/v1/orders", headers=headers)
    assert answer.status_code == 405
    assert straw.desk.calls == []


@pytest.mark.parametrize("client_order_id", ["..%2fx", "%00", "a%20b", "x" * 500, "%ff", "é"])
async def test_b_24_a_path_id_is_never_a_reason_for_422(straw: Straw, client_order_id: str) -> None:
    answer = await straw.ask("POST", f"/api/v1/orders/{client_order_id}/cancel", headers=straw.bearer())
    assert answer.status_code == 404


MANUAL = {"reason": "the price ran away", "requested_by": "bob"}


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
async def test_b_43_to_b_47_an_instant_that_is_none_is_422(straw: Straw, instant: object) -> None:
    body = MANUAL | {"requested_at": instant}
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "request_validation")


@pytest.mark.parametrize(
    "instant", ["2024-10-18T04:30:00+14:00", "2024-10-17T00:30:00-14:00", "2024-10-17T14:30:00.123456789z"]
)
async def test_b_45_and_b_46_wide_offsets_and_nanoseconds_are_read(straw: Straw, instant: str) -> None:
    await straw.ask("POST", "/api/v1/orders", json=ORDER | {"client_order_id": "c1"}, headers=straw.bearer())
    body = MANUAL | {"requested_at": instant}
    answer = await straw.ask("POST", "/api/v1/orders/c1/cancel", json=body, headers=straw.bearer())
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("short", 422),
        ("          ", 422),
        ("a reason\x00 with a NUL", 422),
        ("a reason\x1b[2J with an escape", 422),
        ("una razón — 🚀 \u202e café", 200),
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


async def test_b_40_a_body_that_dribbles_in_is_given_up() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(BodyTooSlow, match=r"0\.1 seconds"):
        await read_bounded(request, 1_000_000, patience_seconds=0.1)
