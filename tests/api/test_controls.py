"""Kill switch, breaker, quarantine, limits, reconciliation and rebuilds: translated, attributed, audited."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.aggregates.refusals import (
    KillSwitchAlreadyEngaged,
    ReconciliationNotAttempted,
    UnresolvedOrphans,
)
from gateway.commands.by_hand import Extent
from tests.api.doubles import AAPL, HEAD
from tests.api.house import Straw
from tests.kit.covers import covers

SWITCH = "/api/v1/kill-switch"
ENGAGE = {"reason": "fat-finger storm", "operator": "bob"}


async def test_engaging_names_the_principal_and_whom_it_acted_for(straw: Straw) -> None:
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE, headers=straw.bearer())
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "state": "ENGAGED",
        "scope": "global",
        "target": None,
        "engaged_at": "2024-10-17T14:30:00.000000Z",
        "engaged_by": "alice",
        "engagement_reason": "fat-finger storm",
        "on_behalf_of": "bob",
        "disengaged_at": None,
        "disengaged_by": None,
        "engagement_count_today": 1,
        "ledger_position": HEAD,
        "mirror": "in_sync",
        "engagement_details": None,
        "disengagement_notes": None,
        "cancel_results": None,
        "flatten_results": None,
        "scopes": None,
    }
    assert answer.headers["x-ledger-position"] == str(HEAD)


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ({}, "global"),
        ({"scope": "global"}, "global"),
        ({"scope": "strategy", "target": "alpha_baseline"}, "strategy:alpha_baseline"),
        ({"scope": "symbol", "target": " brk.b "}, "symbol:BRK.B"),
    ],
)
async def test_a_scope_is_named_as_its_stream_is(straw: Straw, said: dict[str, str], scope: str) -> None:
    await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE | said, headers=straw.bearer())
    assert straw.desk.calls[0][1]["scope"] == scope


@pytest.mark.parametrize(
    "said",
    [
        {"scope": "symbol"},
        {"scope": "strategy", "target": ""},
        {"scope": "symbol", "target": "not a symbol"},
        {"scope": "strategy", "target": "a b"},
        {"target": "AAPL"},
        {"scope": "desk"},
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 513},
        {"operator": ""},
        {"operator": "x" * 129},
        {"details": "text"},
        {"cancel_open_orders": "yes please"},
        {"surprise": 1},
    ],
    ids=str,
)
async def test_a_switch_body_that_makes_no_sense_is_422(straw: Straw, said: dict[str, Any]) -> None:
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE | said, headers=straw.bearer())
    assert answer.status_code == 422
    assert straw.desk.calls == []


async def test_numbers_in_details_are_kept_exactly(straw: Straw) -> None:
    body = '{"reason":"x","operator":"alice","details":{"loss":-0.10,"orders":[1,2]}}'
    headers = straw.bearer() | {"Content-Type": "application/json"}
    await straw.ask("POST", f"{SWITCH}/engage", content=body, headers=headers)
    assert straw.desk.calls[0][1]["details"] == {"loss": "-0.1", "orders": [1, 2]}


async def test_the_status_of_a_scope_lists_the_others_that_are_engaged(straw: Straw) -> None:
    answer = await straw.ask(
        "GET", f"{SWITCH}/status?scope=symbol&target=aapl", headers=straw.bearer("viewer")
    )
    assert (answer.json()["state"], answer.json()["target"]) == ("ACTIVE", "AAPL")
    assert answer.json()["scopes"] == ["symbol:AAPL"]


@pytest.mark.parametrize("query", ["scope=symbol", "scope=symbol&target=x%20y", "target=AAPL", "scope=desk"])
async def test_a_status_query_that_makes_no_sense_is_422(straw: Straw, query: str) -> None:
    answer = await straw.ask("GET", f"{SWITCH}/status?{query}", headers=straw.bearer())
    assert answer.status_code == 422


@covers("INV-25")
async def test_a_denied_control_is_on_record(straw: Straw) -> None:
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE, headers=straw.bearer("viewer"))
    assert answer.status_code == 403
    assert straw.audit.entries == [("kill_switch_engage", "denied", "alice", {"code": "permission_denied"})]


@covers("INV-25")
async def test_a_control_that_fails_is_on_record(straw: Straw) -> None:
    straw.desk.refusal = KillSwitchAlreadyEngaged("already engaged by carol")
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (400, "kill_switch_already_engaged")
    assert straw.audit.entries[0][:2] == ("kill_switch_engage", "failed")


async def test_a_stranger_s_control_is_counted_and_not_on_record(straw: Straw) -> None:
    await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE)
    assert straw.audit.entries == []


async def test_a_control_beyond_its_limit_is_on_record(straw: Straw) -> None:
    admin = straw.bearer("admin")
    for _ in range(10):
        assert (await straw.ask("POST", "/api/v1/reconciliation/run", headers=admin)).status_code == 200
    answer = await straw.ask("POST", "/api/v1/reconciliation/run", headers=admin)
    assert answer.status_code == 429
    assert straw.audit.entries == [("reconciliation_run", "rate_limited", "alice", {"code": "rate_limited"})]


async def test_control_actions_are_counted(straw: Straw) -> None:
    await straw.ask("POST", f"{SWITCH}/engage", json=ENGAGE, headers=straw.bearer())
    registry = straw.house.metrics.registry
    assert registry.get_sample_value("admin_action_total", {"action": "kill_switch_engage"}) == 1


BREAKER = {
    "state": "OPEN",
    "enabled": True,
    "tripped_at": None,
    "trip_reason": None,
    "trip_details": None,
    "reset_at": None,
    "reset_by": None,
    "quiet_period_ends_at": None,
    "trip_count_today": 0,
    "ledger_position": HEAD,
    "mirror": "in_sync",
}


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [
        ("GET", "status", None),
        ("POST", "trip", {"reason": "drawdown", "details": {"pct": 12}}),
        ("POST", "reset", {"reason": "looked at it"}),
    ],
)
async def test_the_breaker_shows_every_key(
    straw: Straw, method: str, verb: str, body: dict[str, Any] | None
) -> None:
    answer = await straw.ask(method, f"/api/v1/circuit-breaker/{verb}", json=body, headers=straw.bearer())
    assert answer.json() == BREAKER


async def test_quarantines_are_listed_with_their_cause(straw: Straw) -> None:
    answer = await straw.ask("GET", "/api/v1/quarantine", headers=straw.bearer())
    assert answer.json() == {
        "quarantined": [
            {
                "symbol": "AAPL",
                "strategy_id": "*",
                "reason": "orphan_order_detected",
                "since": "2024-10-17T14:30:00.000000Z",
                "cause": {"kind": "orphan", "broker_order_id": "b-1", "break_id": None},
                "orphan_notional": "1500.5",
                "released_at": None,
                "released_by": None,
            }
        ],
        "total": 1,
    }


RELEASE = {"reason": "the orphan was a test order"}


async def test_a_quarantine_is_released_by_name(straw: Straw) -> None:
    path = "/api/v1/quarantine/brk.b/release"
    answer = await straw.ask("POST", path, json=RELEASE, headers=straw.bearer("admin"))
    assert (answer.json()["symbol"], answer.json()["released_by"]) == ("BRK.B", "alice")
    assert straw.desk.calls[0][1]["force"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/quarantine/not%20one/release", RELEASE),
        ("/api/v1/quarantine/AAPL/release", {"reason": "too short"}),
        ("/api/v1/quarantine/AAPL/release", {}),
        ("/api/v1/quarantine/AAPL/release", None),
        ("/api/v1/quarantine/AAPL/release", RELEASE | {"force": "maybe"}),
    ],
)
async def test_a_release_that_makes_no_sense_is_422(straw: Straw, path: str, body: Any) -> None:
    answer = await straw.ask("POST", path, json=body, headers=straw.bearer("admin"))
    assert answer.status_code == 422


async def test_unresolved_orphans_are_named(straw: Straw) -> None:
    straw.desk.refusal = UnresolvedOrphans("resolve them first", broker_order_ids=["b-1", "b-2"])
    path = "/api/v1/quarantine/AAPL/release"
    answer = await straw.ask("POST", path, json=RELEASE, headers=straw.bearer("admin"))
    assert (answer.status_code, answer.json()["broker_order_ids"]) == (409, ["b-1", "b-2"])


async def test_the_thresholds_are_those_of_configuration_until_the_first_change(straw: Straw) -> None:
    answer = await straw.ask("GET", "/api/v1/fat-finger/thresholds", headers=straw.bearer())
    assert answer.json() == {
        "default_thresholds": {"max_notional": "100000", "max_qty": 10_000, "max_adv_pct": None},
        "symbol_overrides": {},
        "updated_at": "2024-10-17T14:30:00.000000Z",
        "updated_by": None,
    }


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "  "}, {"reason": None}])
async def test_forcing_the_gate_needs_a_reason(straw: Straw, body: Any) -> None:
    said = {"json": body} if body is not None else {}
    path = "/api/v1/reconciliation/force-complete"
    answer = await straw.ask("POST", path, headers=straw.bearer("admin"), **said)
    assert (answer.status_code, answer.json()["code"]) == (422, "reason_required")


async def test_forcing_the_gate_before_any_attempt_is_409(straw: Straw) -> None:
    straw.desk.refusal = ReconciliationNotAttempted("nothing was attempted yet")
    path = "/api/v1/reconciliation/force-complete"
    answer = await straw.ask("POST", path, json={"reason": "go"}, headers=straw.bearer("admin"))
    assert (answer.status_code, answer.json()["code"]) == (409, "reconciliation_not_attempted")


async def test_a_pass_and_its_shadow_answer_in_one_shape(straw: Straw) -> None:
    admin = straw.bearer("admin")
    plain = await straw.ask("POST", "/api/v1/reconciliation/run", headers=admin)
    shadow = await straw.ask("POST", "/api/v1/reconciliation/run?shadow=true", headers=admin)
    assert plain.json().keys() == shadow.json().keys()
    assert (plain.json()["shadow_reports"], shadow.json()["shadow_reports"]) == (None, [])


async def test_the_reconciliation_status_is_shown_to_anybody_known(straw: Straw) -> None:
    answer = await straw.ask("GET", "/api/v1/reconciliation/status", headers=straw.bearer("researcher"))
    assert (answer.json()["gate"], answer.json()["override_context"]) == ("open", {})


REBUILD = "/api/v1/projections/orders/rebuild"


async def test_a_rebuild_is_on_record_before_it_starts(straw: Straw) -> None:
    answer = await straw.ask("POST", REBUILD, headers=straw.bearer("admin"))
    assert (answer.status_code, answer.json()["name"]) == (202, "orders")
    assert answer.headers["x-ledger-position"] == str(HEAD + 1)
    assert straw.audit.entries == [("projection_rebuild", "success", "alice", {"projection": "orders"})]
    assert straw.tables.rebuilt == ["orders"]


@covers("FM:F-126")
async def test_a_second_rebuild_at_once_is_409(straw: Straw) -> None:
    straw.tables.state = "rebuilding"
    answer = await straw.ask("POST", REBUILD, headers=straw.bearer("admin"))
    assert (answer.status_code, answer.json()["code"]) == (409, "rebuild_in_progress")
    assert straw.tables.rebuilt == []


async def test_an_unknown_table_cannot_be_rebuilt(straw: Straw) -> None:
    answer = await straw.ask("POST", "/api/v1/projections/x/rebuild", headers=straw.bearer("admin"))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_projections_and_proofs_are_shown(straw: Straw) -> None:
    tables = await straw.ask("GET", "/api/v1/projections", headers=straw.bearer("auditor"))
    proof = await straw.ask("GET", "/api/v1/ledger/verify?from=1&to=9", headers=straw.bearer("auditor"))
    assert tables.json()["projections"][0]["lag_events"] == 0
    assert proof.json()["checks"] == [{"name": "decode", "ok": True, "checked": HEAD, "failures": []}]
    backwards = await straw.ask("GET", "/api/v1/ledger/verify?from=9&to=1", headers=straw.bearer("auditor"))
    assert backwards.status_code == 422


@covers("SEC:S-17")
async def test_disengaging_keeps_the_notes(straw: Straw) -> None:
    body = {"operator": "alice", "notes": "storm is over", "scope": "symbol", "target": "AAPL"}
    answer = await straw.ask("POST", f"{SWITCH}/disengage", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["state"]) == (200, "ACTIVE")
    assert straw.desk.calls[0][1]["notes"] == "storm is over"
    assert straw.desk.calls[0][1]["by"].on_behalf_of is None


async def test_a_flag_that_flattens_needs_a_second_factor_and_nothing_is_engaged_without(
    straw: Straw,
) -> None:
    body = ENGAGE | {"flatten": True}
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (403, "mfa_required")
    assert straw.desk.names == ["admit"]


async def test_a_flag_that_cancels_acts_after_the_switch_is_on_record(straw: Straw) -> None:
    body = ENGAGE | {"cancel_open_orders": True, "scope": "symbol", "target": "AAPL"}
    answer = await straw.ask("POST", f"{SWITCH}/engage", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.json()["cancel_results"]) == (200, [])
    assert straw.desk.names == ["admit", "engage_kill_switch", "cancel_all"]
    assert straw.desk.calls[-1][1]["extent"] == Extent(symbol=AAPL)


async def test_forcing_the_gate_names_who_and_why(straw: Straw) -> None:
    path = "/api/v1/reconciliation/force-complete"
    answer = await straw.ask("POST", path, json={"reason": " broker is slow "}, headers=straw.bearer("admin"))
    assert answer.json() == {
        "status": "override_enabled",
        "message": "the gate is open",
        "user_id": "alice",
        "reason": "broker is slow",
    }
