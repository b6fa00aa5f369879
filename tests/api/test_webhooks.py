"""The broker's door: signed bytes in, always an answer that fits what became of them."""

from __future__ import annotations

from dataclasses import replace

import httpx2
import pytest

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.api.webhook_signature import signature
from tests.api.doubles import HEAD, NOW, Receipt
from tests.api.house import WEBHOOK, WEBHOOK_SECRET, Straw, straw_house
from tests.kit.covers import covers

FILL = b'{"event":"fill"}'
WITHOUT_TIME = "6336589f6dbabc565db23d203f80269f54200f98d31b434ea283944d56f55c8a"
WITH_TIME = "352f454ad26b1aea4f4fa6a9872dd58eee91902185b40f46819756138e559408"
AT = int(NOW.timestamp())


async def post(straw: Straw, body: bytes = FILL, **headers: str) -> httpx2.Response:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return await straw.ask("POST", "/api/v1/webhooks/orders", content=body, headers=said)


def sign(body: bytes) -> str:
    return signature(WEBHOOK_SECRET, body)


@covers("SEC:S-24")
def test_both_vectors() -> None:
    assert signature(WEBHOOK_SECRET, FILL) == WITHOUT_TIME
    assert signature(WEBHOOK_SECRET, FILL, "1729175400") == WITH_TIME


@pytest.mark.parametrize("given", [WITHOUT_TIME, f"sha256={WITHOUT_TIME}", WITHOUT_TIME.upper()])
async def test_a_signed_fact_is_received(straw: Straw, given: str) -> None:
    answer = await post(straw, X_Alpaca_Signature=given)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "client_order_id": "1b5445b3d1a61a15f64411be",
        "disposition": "applied",
        "ledger_position": HEAD,
    }
    (_, asked) = straw.desk.calls[0]
    assert asked["raw"] == FILL


@covers("SEC:S-24", "FM:F-093")
@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (-300, 200), (300, 200), (-301, 401), (301, 401)])
async def test_a_signed_time_must_be_near(straw: Straw, seconds: int, status: int) -> None:
    at = str(AT + seconds)
    answer = await post(straw, X_Webhook_Timestamp=at, X_Alpaca_Signature=signature(WEBHOOK_SECRET, FILL, at))
    assert answer.status_code == status


async def test_a_time_that_was_not_signed_is_401(straw: Straw) -> None:
    answer = await post(straw, X_Webhook_Timestamp=str(AT), X_Alpaca_Signature=WITHOUT_TIME)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")


@covers("SEC:S-28")
async def test_a_missing_signature_is_401_and_nothing_is_kept(straw: Straw) -> None:
    answer = await post(straw)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_missing")
    assert "www-authenticate" not in answer.headers
    assert straw.desk.calls == []


@covers("SEC:S-28", "FM:F-092")
@pytest.mark.parametrize(
    "given", ["", "0" * 64, "x" * 64, "0" * 63, "0" * 10_000, f"sha1={WITHOUT_TIME}", f"{WITHOUT_TIME} x"]
)
async def test_a_wrong_signature_is_401(straw: Straw, given: str) -> None:
    answer = await post(straw, X_Alpaca_Signature=given)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")
    assert straw.desk.calls == []


@covers("SEC:S-28")
@pytest.mark.parametrize("at", ["", "now", "1e9", "-1729175400", "1729175400.0", "9" * 10_000])
async def test_an_unusable_time_is_401(straw: Straw, at: str) -> None:
    answer = await post(straw, X_Webhook_Timestamp=at, X_Alpaca_Signature=WITHOUT_TIME)
    assert (answer.status_code, answer.json()["code"]) == (401, "webhook_signature_invalid")


@covers("SEC:S-28")
@pytest.mark.parametrize("name", ["X-Alpaca-Signature", "X-Webhook-Timestamp"])
async def test_a_repeated_header_is_401(straw: Straw, name: str) -> None:
    said = [("X-Alpaca-Signature", WITH_TIME), ("X-Webhook-Timestamp", str(AT))]
    again = next(pair for pair in said if pair[0] == name)
    answer = await straw.ask("POST", "/api/v1/webhooks/orders", content=FILL, headers=[*said, again])
    assert answer.status_code == 401


@covers("SEC:S-25", "FM:F-092")
async def test_changed_bytes_are_401_even_when_they_mean_the_same(straw: Straw) -> None:
    answer = await post(straw, b'{"event": "fill"}', X_Alpaca_Signature=WITHOUT_TIME)
    assert answer.status_code == 401


async def test_a_bearer_token_is_neither_needed_nor_harmful_and_no_gate_of_trading_is_walked(
    straw: Straw,
) -> None:
    answer = await post(straw, X_Alpaca_Signature=WITHOUT_TIME, Authorization="Bearer nonsense")
    assert answer.status_code == 200
    assert "auth" not in straw.steps
    assert "rate_limit" not in straw.steps
    assert straw.gate_logs[-1].sequence == ["signature:pass", "process:success"]


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ("applied", "ok"),
        ("duplicate", "duplicate"),
        ("orphan", "recorded"),
        ("unknown_event", "recorded"),
        ("unparsed", "recorded"),
    ],
)
async def test_what_became_of_it_is_told(straw: Straw, disposition: str, status: str) -> None:
    straw.desk.receipt = Receipt(disposition=disposition, client_order_id=None, position=None)
    answer = await post(straw, X_Alpaca_Signature=WITHOUT_TIME)
    assert (answer.status_code, answer.json()["status"]) == (200, status)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"5", b'"x"', b"{", b"\xff", b"[" * 50_000])
async def test_signed_bytes_that_are_no_object_are_400_and_kept(straw: Straw, body: bytes) -> None:
    straw.desk.receipt = Receipt(disposition="unparsed", client_order_id=None, position=None)
    answer = await post(straw, body, X_Alpaca_Signature=sign(body))
    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_body_invalid")
    assert straw.desk.calls[0][1]["raw"] == body


@pytest.mark.parametrize(
    "body", [b'{"event":null}', b'{"event":"brand_new"}', b'{"data":[]}', b'{"a":1,"a":2}', b'{"n":NaN}']
)
async def test_a_signed_object_is_never_refused_for_its_content(straw: Straw, body: bytes) -> None:
    assert (await post(straw, body, X_Alpaca_Signature=sign(body))).status_code == 200


@covers("SEC:S-30")
@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "nonsense"])
async def test_the_content_type_loses_no_fact(straw: Straw, content_type: str) -> None:
    answer = await post(straw, X_Alpaca_Signature=WITHOUT_TIME, Content_Type=content_type)
    assert answer.status_code == 200


@covers("SEC:S-30")
async def test_a_body_beyond_256_kb_is_413(straw: Straw) -> None:
    body = b" " * (256 * 1024 + 1)
    assert (await post(straw, body, X_Alpaca_Signature=sign(body))).status_code == 413
    fits = FILL + b" " * (256 * 1024 - len(FILL))
    assert (await post(straw, fits, X_Alpaca_Signature=sign(fits))).status_code == 200


@covers("INV-17", "FM:F-097")
async def test_a_ledger_that_cannot_keep_it_is_503_so_that_the_sender_repeats(straw: Straw) -> None:
    straw.desk.refusal = LedgerUnavailable("Postgres is away")
    answer = await post(straw, X_Alpaca_Signature=WITHOUT_TIME)
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert answer.headers["retry-after"] == "1"


@covers("SEC:S-26", "SEC:S-07")
async def test_without_a_secret_the_door_is_shut_outside_dev_and_test() -> None:
    shut = straw_house(webhook=replace(WEBHOOK, secrets=()))
    answer = await post(shut, X_Alpaca_Signature=WITHOUT_TIME)
    assert (answer.status_code, answer.json()["code"]) == (503, "webhook_unavailable")
    open_door = straw_house(webhook=replace(WEBHOOK, secrets=(), open=True))
    assert (await post(open_door)).status_code == 200


async def test_an_empty_secret_verifies_nothing() -> None:
    straw = straw_house(webhook=replace(WEBHOOK, secrets=(b"",)))
    answer = await post(straw, X_Alpaca_Signature=signature(b"", FILL))
    assert answer.status_code == 503


@covers("SEC:S-32", "FM:F-095")
async def test_two_secrets_are_accepted_while_one_is_being_replaced() -> None:
    straw = straw_house(webhook=replace(WEBHOOK, secrets=(b"the-next-secret", WEBHOOK_SECRET)))
    assert (await post(straw, X_Alpaca_Signature=WITHOUT_TIME)).status_code == 200
    fresh = signature(b"the-next-secret", FILL)
    assert (await post(straw, X_Alpaca_Signature=fresh)).status_code == 200


@covers("SEC:S-29")
@pytest.mark.parametrize(
    "path", ["/api/v1/webhooks/orders/", "/api/v1/webhooks/Orders", "/api/v1//webhooks/orders"]
)
async def test_the_exemption_belongs_to_the_route_and_not_to_a_prefix(straw: Straw, path: str) -> None:
    answer = await straw.ask("POST", path, content=FILL, headers={"X-Alpaca-Signature": WITHOUT_TIME})
    assert answer.status_code == 404
    for neighbour in ("/api/v1/webhooks/../config", "/api/v1/webhooks/orders/../../config"):
        answer = await straw.ask("GET", neighbour, headers={"X-Alpaca-Signature": WITHOUT_TIME})
        assert answer.status_code in (401, 404)
