"""Limits count per principal and action, refuse with words, and never run before authentication."""

from __future__ import annotations

from gateway.aggregates.vocabulary import ActorKind
from gateway.api.rate_limit import rate_rules
from gateway.ports import RateRule
from tests.api.house import Straw, straw_house
from tests.kit.covers import covers

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}


async def test_a_limited_route_says_how_much_is_left(straw: Straw) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    said = {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit")}
    assert said == {"x-ratelimit-limit": "40", "x-ratelimit-remaining": "39", "x-ratelimit-window": "60"}


async def test_the_headers_stand_on_failures_too(straw: Straw) -> None:
    answer = await straw.ask("POST", "/api/v1/orders", json={}, headers=straw.bearer())
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (422, "39")


async def _spend(straw: Straw) -> None:
    straw.allowance.taken["order_submit", "user:alice"] = 40


@covers("SEC:S-39")
async def test_beyond_the_limit_it_is_429_before_the_body_is_read(straw: Straw) -> None:
    await _spend(straw)
    answer = await straw.ask("POST", "/api/v1/orders", content=b"{broken", headers=straw.bearer())
    body = answer.json()
    assert (answer.status_code, body["code"], body["gate"]) == (429, "rate_limited", "rate_limit")
    assert (body["reason"], body["retry_after"]) == ("per_user_limit_exceeded", 7)
    assert answer.headers["retry-after"] == "7"
    assert straw.gate_logs[-1].sequence == ["auth:pass", "rate_limit:block"]


async def test_one_s_limit_is_not_another_s(straw: Straw) -> None:
    await _spend(straw)
    for sub, kind in (("bob", ActorKind.USER), ("alice", ActorKind.SERVICE)):
        headers = straw.bearer("operator", sub=sub, kind=kind)
        answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=headers)
        assert answer.status_code != 429


@covers("SEC:S-10")
async def test_a_flood_of_strangers_uses_up_nobody_s_allowance(straw: Straw) -> None:
    for _ in range(50):
        await straw.ask("POST", "/api/v1/orders", json=ORDER)
    assert straw.allowance.taken == {}


async def test_who_may_not_does_not_use_up_the_allowance(straw: Straw) -> None:
    await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer("viewer"))
    assert straw.allowance.taken == {}


async def test_log_only_counts_and_lets_through() -> None:
    straw = straw_house(enforced=False)
    await _spend(straw)
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    assert answer.status_code == 200
    registry = straw.house.metrics.registry
    assert registry.get_sample_value("rate_limit_bypass_total", {"method": "POST"}) == 1
    labels = {"action": "order_submit", "result": "blocked", "principal_type": "user"}
    assert registry.get_sample_value("rate_limit_api_checks_total", labels) == 1


@covers("SEC:S-39")
def test_the_numbers_are_the_agreed_ones() -> None:
    rules = rate_rules(submits=40, slices=10, cancels=100, backfills=2, backfill_seconds=300)
    assert rules["order_submit"] == RateRule(limit=40, window=60, burst=10, overall=80)
    assert rules["order_slice"] == RateRule(limit=10, window=60, burst=5, overall=20)
    assert rules["order_cancel"] == RateRule(limit=100, window=60, burst=20, overall=200)
    assert rules["fills_backfill"] == RateRule(limit=2, window=300, burst=1, overall=2)
    assert rules["flatten_all"] == RateRule(limit=1, window=300)
    assert (rules["events_read"].limit, rules["ledger_verify"].limit, rules["cancel_all"].limit) == (
        120,
        6,
        5,
    )
