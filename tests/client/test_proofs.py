"""The signatures are the agreed ones, and the gateway believes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx2

from gateway.client import AsyncClient, ServiceSignature, Unauthenticated
from gateway.client.proofs import webhook_headers
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import SECRET, about
from tests.contract.steps import resting_order
from tests.kit.house import LOCAL, House

SERVICE_SECRET = "test-secret-0123456789abcdef0123456789abcdef"


def test_the_vector_of_a_service_s_signature() -> None:
    proof = ServiceSignature(
        service_id="orchestrator",
        secret=SERVICE_SECRET.encode(),
        strategy_id="alpha_baseline",
        now=lambda: datetime.fromtimestamp(1729175400, UTC),
        nonce=lambda: "n-0001",
    )
    body = b'{"symbol":"AAPL","side":"buy","qty":10}'
    signed = next(proof.auth_flow(httpx2.Request("POST", f"{LOCAL}/api/v1/orders", content=body)))
    expected = "77851874381192c28bf0901cd8b4197e10aa449bcbfcc865eceeca4ef5bb7c5d"
    assert signed.headers["X-Internal-Token"] == expected


def test_both_vectors_of_a_relay_s_signature() -> None:
    body, at = b'{"event":"fill"}', datetime.fromtimestamp(1729175400, UTC)
    assert webhook_headers(b"whsec-test", body) == {
        "X-Alpaca-Signature": "6336589f6dbabc565db23d203f80269f54200f98d31b434ea283944d56f55c8a"
    }
    assert webhook_headers(b"whsec-test", body, at) == {
        "X-Alpaca-Signature": "352f454ad26b1aea4f4fa6a9872dd58eee91902185b40f46819756138e559408",
        "X-Webhook-Timestamp": "1729175400",
    }


async def test_a_service_is_believed_with_and_without_a_body_and_a_query(
    create_test_app: CreateTestApp,
) -> None:
    async with create_test_app(environment={"INTERNAL_TOKEN_SECRET": SERVICE_SECRET}) as house:
        proof = ServiceSignature(
            service_id="orchestrator", secret=SERVICE_SECRET.encode(), strategy_id="momentum", user_id="carol"
        )
        transport = httpx2.ASGITransport(app=house.app)
        async with AsyncClient(LOCAL, proof, transport=transport) as runner:
            order = await runner.submit_order(symbol="AAPL", side="buy", qty=10)
            assert order.strategy_id == "momentum"
            held = await runner.list_positions(symbol="AAPL", as_of=datetime.now(UTC))
            assert held.as_of is not None
            await runner.cancel_order(order.client_order_id)
        forged = ServiceSignature(service_id="orchestrator", secret=b"another secret")
        async with AsyncClient(LOCAL, forged, transport=transport) as stranger:
            try:
                await stranger.config()
            except Unauthenticated as refused:
                assert refused.code == "invalid_internal_token"
            else:
                raise AssertionError("a forged signature was believed")


async def test_a_relay_s_fact_is_believed(house: House, client: AsyncClient) -> None:
    order = await resting_order(house, client_order_id="told")
    update = {"event": "new", "order": about(json.loads(json.dumps(order)), status="new")}
    for at in (None, datetime.now(UTC)):
        told = await client.receive_order_update(update, secret=SECRET, at=at)
        assert told.client_order_id == "told"
