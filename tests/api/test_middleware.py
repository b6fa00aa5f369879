"""What every request gets: an id, one line in the log, one observation, and never a bare 500."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import structlog

from gateway.aggregates.refusals import KillSwitchNotEngaged, LedgerUnavailable, Refusal, Unavailable
from gateway.api.deps import Phase
from gateway.api.errors import STATUS
from tests.api.doubles import HEAD
from tests.api.house import Straw, straw_house
from tests.kit.covers import covers

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}


@pytest.mark.parametrize("given", ["abc-123", "!" * 128, "~"])
async def test_a_visible_request_id_is_echoed(straw: Straw, given: str) -> None:
    answer = await straw.ask("GET", "/health/live", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "a\tb"])
async def test_another_one_is_replaced(straw: Straw, given: str) -> None:
    answer = await straw.ask("GET", "/health/live", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 36


async def test_the_request_id_is_the_correlation_id_of_the_command(straw: Straw) -> None:
    headers = straw.bearer() | {"X-Request-ID": "trace-7"}
    await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=headers)
    assert straw.desk.calls[0][1]["correlation_id"] == "trace-7"


async def test_the_doors_are_passed_in_order_even_for_health(straw: Straw) -> None:
    await straw.ask("GET", "/health")
    assert straw.steps == ["proxy_headers", "auth", "rate_limit"]


@covers("SEC:S-43")
async def test_an_uncaught_error_is_500_with_the_request_id_and_nothing_else(straw: Straw) -> None:
    straw.desk.refusal = RuntimeError("secret detail of the inside")
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    straw.desk.refusal = None
    again = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    assert again.status_code == 200


async def test_while_draining_only_health_and_metrics_answer() -> None:
    straw = straw_house(phase=Phase(routes_ready=True, draining=True))
    for path in ("/", "/health", "/health/live", "/health/ready", "/metrics"):
        assert (await straw.ask("GET", path)).status_code == 200
    for method, path in (
        ("POST", "/api/v1/orders"),
        ("GET", "/api/v1/config"),
        ("POST", "/api/v1/webhooks/orders"),
    ):
        answer = await straw.ask(method, path, headers=straw.bearer())
        assert (answer.status_code, answer.json()["code"]) == (503, "draining")
        assert answer.headers["retry-after"] == "1"


@covers("SEC:S-31")
@pytest.mark.parametrize(
    ("trusted", "address"), [(["127.0.0.1"], "203.0.113.9"), (["10.0.0.0/8"], "127.0.0.1")]
)
async def test_forwarded_addresses_are_believed_from_trusted_proxies_only(
    trusted: list[str], address: str
) -> None:
    straw = straw_house(trusted_proxies=trusted)
    headers = straw.bearer() | {"X-Forwarded-For": "203.0.113.9"}
    await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=headers)
    assert straw.desk.calls[0][1]["by"].address == address


@covers("SEC:S-64")
async def test_a_request_is_one_log_line_without_body_or_headers(straw: Straw) -> None:
    headers = straw.bearer() | {"X-Request-ID": "trace-8"}
    with structlog.testing.capture_logs() as lines:
        await straw.ask(
            "POST", "/api/v1/orders", json=ORDER | {"client_order_id": "canary-1"}, headers=headers
        )
    (line,) = lines
    line.pop("logger_name", None)
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/api/v1/orders",
        "status": 200,
        "principal": "alice",
    }
    assert headers["Authorization"] not in json.dumps(line)


async def test_a_gate_refusal_is_one_more_line(straw: Straw) -> None:
    with structlog.testing.capture_logs() as lines:
        await straw.ask("GET", "/api/v1/kill-switch/status", headers=straw.bearer("researcher"))
    assert [(line["event"], line.get("gate"), line.get("code")) for line in lines] == [
        ("gate refused", "auth", "permission_denied"),
        ("request", None, None),
    ]


def sample(straw: Straw, name: str, **labels: str) -> float | None:
    return straw.house.metrics.registry.get_sample_value(name, labels)


async def test_requests_are_observed_by_route_template(straw: Straw) -> None:
    await straw.ask("POST", "/api/v1/orders/xyz/cancel", headers=straw.bearer())
    await straw.ask("GET", "/nowhere")
    name = "execution_gateway_http_request_duration_seconds_count"
    template = "/api/v1/orders/{client_order_id}/cancel"
    assert sample(straw, name, method="POST", route=template, status_class="4xx") == 1
    assert sample(straw, name, method="other", route="unrouted", status_class="4xx") == 1


async def test_authentications_are_counted(straw: Straw) -> None:
    await straw.ask("GET", "/api/v1/config", headers=straw.bearer())
    await straw.ask("GET", "/api/v1/config")
    for auth_type, result in (("jwt", "success"), ("none", "authentication_required")):
        labels = {"action": "config", "result": result, "auth_type": auth_type, "mode": "enforce"}
        assert sample(straw, "api_auth_checks_total", **labels) == 1
    assert sample(straw, "execution_gateway_gate_verdicts_total", gate="auth", verdict="block") == 1


@covers("INV-27")
@pytest.mark.parametrize("position", ["1", str(HEAD)])
async def test_a_read_waits_for_the_position_its_caller_has_seen(straw: Straw, position: str) -> None:
    headers = straw.bearer() | {"X-Ledger-Position": position}
    await straw.ask("GET", "/api/v1/orders/c1", headers=headers)
    assert straw.tables.waited == [(int(position), ("orders",))]


@covers("INV-27")
async def test_the_larger_of_header_and_query_is_waited_for(straw: Straw) -> None:
    headers = straw.bearer() | {"X-Ledger-Position": "3"}
    await straw.ask("GET", "/api/v1/orders/c1?min_position=5", headers=headers)
    assert straw.tables.waited == [(5, ("orders",))]


@covers("INV-27")
async def test_tables_that_do_not_catch_up_are_503(straw: Straw) -> None:
    straw.tables.position = 7
    headers = straw.bearer() | {"X-Ledger-Position": "9"}
    answer = await straw.ask("GET", "/api/v1/orders/c1", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "projection_behind")
    assert (answer.json()["position"], answer.json()["wanted"]) == (7, 9)
    assert answer.headers["retry-after"] == "1"


async def test_a_ledger_that_is_away_is_503(straw: Straw) -> None:
    straw.desk.refusal = LedgerUnavailable("Postgres is away")
    answer = await straw.ask("POST", "/api/v1/orders", json=ORDER, headers=straw.bearer())
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert answer.json()["fail_closed"] is True


async def test_every_answer_to_a_change_names_a_ledger_position_refusals_too(straw: Straw) -> None:
    straw.desk.refusal = KillSwitchNotEngaged("not engaged")
    body = {"operator": "alice"}
    answer = await straw.ask("POST", "/api/v1/kill-switch/disengage", json=body, headers=straw.bearer())
    assert (answer.status_code, answer.headers["x-ledger-position"]) == (400, str(HEAD))


def _refusals(root: type[Refusal]) -> set[type[Refusal]]:
    return {root} | {leaf for child in root.__subclasses__() for leaf in _refusals(child)}


def test_every_refusal_of_the_house_has_a_status() -> None:
    here = {
        kind for kind in _refusals(Refusal) - {Refusal, Unavailable} if kind.__module__.startswith("gateway.")
    }
    assert {kind.code for kind in here} - STATUS.keys() == set()


def test_no_module_of_the_api_raises_the_framework_s_own_errors() -> None:
    folder = Path(__file__).parents[2] / "gateway" / "api"
    for module in folder.rglob("*.py"):
        assert "raise HTTPException" not in module.read_text(encoding="utf-8")
