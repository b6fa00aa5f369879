"""One table from refusal to status, and the one shape every refusal leaves in (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.aggregates.refusals import Refusal, Unavailable
from gateway.api.deps import house_of
from gateway.api.json_types import json_value, timestamp_text
from gateway.telemetry import log

CODES: Final[Mapping[int, str]] = {
    400: "bad_request kill_switch_already_engaged kill_switch_not_engaged circuit_breaker_not_tripped"
    " fat_finger_rejected slicing_plan_invalid webhook_body_invalid",
    401: "authentication_required invalid_token invalid_internal_token token_replayed"
    " webhook_signature_missing webhook_signature_invalid",
    403: "permission_denied strategy_unauthorized no_strategy_access mfa_required mfa_expired mfa_invalid"
    " token_mismatch",
    404: "not_found order_not_found parent_order_not_found position_not_found strategy_not_found"
    " performance_disabled",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "idempotency_conflict broker_id_conflict unresolved_orphans reconciliation_not_attempted"
    " quarantine_not_active rebuild_in_progress",
    413: "body_too_large",
    422: "request_validation position_limit_exceeded broker_rejected qty_exceeds_position fractional_qty"
    " stale_request reason_required",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    502: "cancel_all_failed flatten_failed",
    503: "kill_switch_unavailable circuit_breaker_unavailable position_reservation_unavailable"
    " kill_switch_engaged circuit_breaker_tripped quarantined quarantine_unavailable"
    " reconciliation_in_progress reconciliation_broker_unavailable reconciliation_lock_unavailable"
    " reconciliation_lock_timeout scheduler_unavailable liquidity_unavailable broker_unavailable"
    " broker_rate_limited ledger_unavailable projection_behind auth_unavailable mfa_unavailable"
    " webhook_unavailable draining",
}
STATUS: Final[Mapping[str, int]] = {code: status for status, codes in CODES.items() for code in codes.split()}
_WAIT_FOR_A_PERSON: Final = frozenset(
    {"kill_switch_engaged", "circuit_breaker_tripped", "quarantined", "webhook_unavailable"}
)
"""503s that a retry does not heal."""


_NOTHING: Final[Mapping[str, Any]] = {}


class ProblemResponse(Response):
    media_type = "application/problem+json"


def problem(request: Request, code: str, detail: str, **facts: Any) -> ProblemResponse:
    """The body every error has. Facts stand beside `detail`, never inside it, and replace nothing."""
    status, content = problem_text(
        code,
        detail,
        request_id=request.state.request_id,
        at=house_of(request).clock.now(),
        instance=request.scope["path"],
        facts=facts,
    )
    return ProblemResponse(content, status_code=status, headers=_headers(code, status, facts))


def problem_text(
    code: str,
    detail: str,
    *,
    request_id: str,
    at: datetime,
    instance: str = "",
    facts: Mapping[str, Any] = _NOTHING,
) -> tuple[int, bytes]:
    """Status and body, also for what never became a request."""
    status = STATUS[code]
    body = {key: json_value(value) for key, value in facts.items()} | {
        "type": f"urn:execution-gateway:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": f"{code}: {detail}",
        "code": code,
        "gate": facts.get("gate"),
        "instance": instance,
        "request_id": request_id,
        "timestamp": timestamp_text(at),
        "fail_closed": facts.get("fail_closed", False),
    }
    return status, json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _headers(code: str, status: int, facts: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED and not code.startswith("webhook"):
        headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and code not in _WAIT_FOR_A_PERSON
    ):
        headers["Retry-After"] = str(facts.get("retry_after") or 1)
    if status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"
    return headers


_SAME_WORDS: Final[Mapping[str, str]] = {
    "invalid_token": "the token is not valid",
    "invalid_internal_token": "the service headers are not valid",
    "webhook_signature_invalid": "the signature is not valid",
}
"""One body for every bad proof: what was wrong with it stands in the log."""


def _words(refusal: Refusal) -> str:
    """Names the gate, unless the code does."""
    unnamed = refusal.gate and refusal.gate not in refusal.code and refusal.gate not in refusal.detail
    words = f"{refusal.gate}: {refusal.detail}" if unnamed else refusal.detail
    return words.removeprefix(f"{refusal.code}: ")


async def _refused(request: Request, refusal: Refusal) -> Response:
    if STATUS[refusal.code] == HTTPStatus.UNAUTHORIZED:
        log("gateway.api").info("caller not believed", code=refusal.code, reason=refusal.detail)
    elif refusal.gate is not None:
        log("gateway.api").info("gate refused", gate=refusal.gate, verdict="block", code=refusal.code)
    facts = {**refusal.facts, "gate": refusal.gate, "fail_closed": isinstance(refusal, Unavailable)}
    words = _SAME_WORDS.get(refusal.code) or _words(refusal)
    return problem(request, refusal.code, words, **facts)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [_public(found) for found in error.errors()]
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(request, "request_validation", f"{where}: {first['msg']}", errors=errors)


def _public(error: Mapping[str, Any]) -> dict[str, Any]:
    """The framework's account of one problem without `input` and `ctx`, which repeat what was sent."""
    location: Sequence[int | str] = error["loc"]
    if error["type"] == "extra_forbidden":
        location = [*location[:-1], "(unknown field)"]
    return {"type": error["type"], "loc": list(location), "msg": error["msg"].removeprefix("Value error, ")}


async def _unrouted(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response = problem(request, "method_not_allowed", f"{request.method} is not allowed here")
        response.headers.update(error.headers or {})
        return response
    return problem(request, "not_found", "there is nothing here")


def install(app: FastAPI) -> None:
    """Every error of the application leaves through these."""
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_unrouted)
