"""Services sign each request; a changed byte, a second use or a late arrival is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from gateway.api.service_headers import ServiceRules, SignedRequest
from gateway.ports import MirrorUnavailable
from tests.api.doubles import NOW
from tests.api.house import SERVICE_SECRET, SERVICES, Straw, straw_house
from tests.kit.covers import covers

BODY = b'{"symbol":"AAPL","side":"buy","qty":10}'
AT = str(int(NOW.timestamp()))
VECTOR = SignedRequest(
    method="POST",
    path="/api/v1/orders",
    service_id="orchestrator",
    timestamp="1729175400",
    nonce="n-0001",
    body_hash="8d78c2ff789f2bad417115e46ebd43d5f9c0505895352a68dd1c5ad7cc9da509",
    strategy_id="alpha_baseline",
)


def headers(request: SignedRequest, secret: bytes = SERVICE_SECRET, **changes: str) -> dict[str, str]:
    said = {
        "X-Service-ID": request.service_id,
        "X-Internal-Timestamp": request.timestamp,
        "X-Internal-Nonce": request.nonce,
        "X-Internal-Token": request.signature(secret),
        "X-Body-Hash": request.body_hash,
        "X-User-ID": request.user_id,
        "X-Strategy-ID": request.strategy_id,
    }
    return {name: value for name, value in (said | changes).items() if value}


async def post(straw: Straw, said: dict[str, str], *, body: bytes = BODY, path: str = "") -> httpx2.Response:
    json_said = said | {"Content-Type": "application/json"}
    return await straw.ask("POST", path or "/api/v1/orders", content=body, headers=json_said)


@covers("SEC:S-12")
def test_the_vector() -> None:
    expected = "77851874381192c28bf0901cd8b4197e10aa449bcbfcc865eceeca4ef5bb7c5d"
    assert VECTOR.signature(SERVICE_SECRET) == expected
    assert VECTOR.body_hash == hashlib.sha256(BODY).hexdigest()


async def test_the_vector_is_let_in_and_narrowed_to_its_strategy(straw: Straw) -> None:
    answer = await post(straw, headers(VECTOR))
    assert answer.status_code == 200, answer.text
    (_, asked) = straw.desk.calls[0]
    assert (asked["by"].sub, asked["by"].kind, asked["by"].auth_method) == ("orchestrator", "service", "hmac")
    assert asked["ticket"].strategy_id == "alpha_baseline"


async def test_the_user_a_service_acts_for_is_remembered(straw: Straw) -> None:
    await post(straw, headers(replace(VECTOR, user_id="carol")))
    assert straw.desk.calls[0][1]["by"].on_behalf_of == "carol"


async def test_a_service_bound_to_a_strategy_cannot_trade_another(straw: Straw) -> None:
    body = b'{"symbol":"AAPL","side":"buy","qty":10,"strategy_id":"beta"}'
    signed = replace(VECTOR, body_hash=hashlib.sha256(body).hexdigest())
    answer = await post(straw, headers(signed), body=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "strategy_unauthorized")


@covers("SEC:S-12")
async def test_a_nonce_is_good_once(straw: Straw) -> None:
    assert (await post(straw, headers(VECTOR))).status_code == 200
    again = await post(straw, headers(VECTOR))
    assert (again.status_code, again.json()["code"]) == (401, "token_replayed")


@covers("SEC:S-12")
@pytest.mark.parametrize(
    "changes",
    [
        {"X-Service-ID": "signal_service"},
        {"X-Service-ID": "intruder"},
        {"X-Internal-Timestamp": str(int(AT) + 1)},
        {"X-Internal-Timestamp": ""},
        {"X-Internal-Timestamp": "\uff11\uff17\uff12\uff19\uff11\uff17\uff15\uff14\uff10\uff10"},
        {"X-Internal-Timestamp": "1e9"},
        {"X-Internal-Nonce": "n-0002"},
        {"X-Internal-Nonce": ""},
        {"X-Internal-Token": "0" * 64},
        {"X-Internal-Token": "zz"},
        {"X-Internal-Token": ""},
        {"X-Body-Hash": ""},
        {"X-Body-Hash": "0" * 64},
        {"X-User-ID": "mallory"},
        {"X-Strategy-ID": "beta"},
        {"X-Strategy-ID": ""},
    ],
    ids=str,
)
async def test_a_changed_header_is_401(straw: Straw, changes: dict[str, str]) -> None:
    said: dict[Any, Any] = {k.encode(): v.encode() for k, v in headers(VECTOR, **changes).items()}
    answer = await straw.ask(
        "POST", "/api/v1/orders", content=BODY, headers=said | {b"Content-Type": b"application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_internal_token")


@covers("SEC:S-12")
@pytest.mark.parametrize("path", ["/api/v1/orders?x=1", "/api/v1/orders/c1/cancel"])
async def test_a_changed_path_or_query_is_401(straw: Straw, path: str) -> None:
    assert (await post(straw, headers(VECTOR), path=path)).status_code == 401


@covers("SEC:S-12")
async def test_a_changed_body_is_401(straw: Straw) -> None:
    assert (await post(straw, headers(VECTOR), body=BODY.replace(b"10", b"99"))).status_code == 401


@covers("SEC:S-12")
async def test_a_changed_method_is_401(straw: Straw) -> None:
    signed = replace(VECTOR, path="/api/v1/config")
    answer = await straw.ask("GET", "/api/v1/config", headers=headers(signed))
    assert answer.status_code == 401


async def test_a_get_needs_no_body_hash(straw: Straw) -> None:
    signed = replace(VECTOR, method="GET", path="/api/v1/config", query="a=1", body_hash="")
    assert (await straw.ask("GET", "/api/v1/config?a=1", headers=headers(signed))).status_code == 200


@covers("SEC:S-12")
@pytest.mark.parametrize(("seconds", "status"), [(-300, 200), (300, 200), (-301, 401), (301, 401)])
async def test_the_timestamp_s_tolerance_holds_in_both_directions(
    straw: Straw, seconds: int, status: int
) -> None:
    signed = replace(VECTOR, timestamp=str(int(AT) + seconds))
    assert (await post(straw, headers(signed))).status_code == status


@covers("SEC:S-12")
async def test_together_with_a_bearer_token_it_is_401(straw: Straw) -> None:
    answer = await post(straw, headers(VECTOR) | straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")


async def test_without_any_secret_service_headers_are_off() -> None:
    straw = straw_house(services=ServiceRules(allowed=SERVICES.allowed))
    answer = await post(straw, headers(VECTOR, secret=b""))
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_internal_token")


async def test_a_service_s_own_secret_comes_before_the_common_one() -> None:
    own = b"its-own-secret-0123456789-0123456789"
    straw = straw_house(services=replace(SERVICES, secrets={"orchestrator": own}))
    assert (await post(straw, headers(VECTOR))).status_code == 401
    assert (await post(straw, headers(VECTOR, secret=own))).status_code == 200


async def test_a_nonce_store_that_is_down_is_503(straw: Straw) -> None:
    straw.nonces.failure = MirrorUnavailable("down")
    answer = await post(straw, headers(VECTOR))
    assert (answer.status_code, answer.json()["code"]) == (503, "auth_unavailable")
    assert answer.json()["fail_closed"] is True


async def test_unsigned_services_are_believed_only_where_configuration_says_so(straw: Straw) -> None:
    unsigned = {"X-Service-ID": "orchestrator"}
    assert (await post(straw, unsigned)).status_code == 401
    relaxed = straw_house(services=replace(SERVICES, required=False))
    assert (await post(relaxed, unsigned)).status_code == 200
    assert (await post(relaxed, {"X-Service-ID": "intruder"})).status_code == 401
    assert (await post(relaxed, headers(VECTOR) | {"X-Internal-Token": "0" * 64})).status_code == 401


async def test_a_repeated_service_header_is_401(straw: Straw) -> None:
    said = [(k, v) for k, v in headers(VECTOR).items()]
    answer = await straw.ask(
        "POST",
        "/api/v1/orders",
        content=BODY,
        headers=[*said, ("X-Strategy-ID", "beta"), ("Content-Type", "application/json")],
    )
    assert answer.status_code == 401
