"""Every route but the webhook is a guarded route: it says who may call it, and asks before the body is read.

The rule is bound to the route object. A route that says nothing cannot be made, and no trick with the path
leads past it, because the path has been matched before the rule is asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from gateway.aggregates.refusals import Refusal, StrategyUnauthorized
from gateway.api.body import BoundedRequest
from gateway.api.deps import House, entered, gate, house_of
from gateway.api.refusals import (
    MfaExpired,
    MfaInvalid,
    MfaRequired,
    PermissionDenied,
    RateLimited,
    TokenMismatch,
)
from gateway.api.roles import Permission, Principal
from gateway.telemetry import log

_POSITION: Final = re.compile(r"[1-9][0-9]{0,17}")
_OUTCOMES: Final[Mapping[type[Refusal], str]] = {
    PermissionDenied: "denied",
    StrategyUnauthorized: "denied",
    MfaRequired: "denied",
    MfaExpired: "denied",
    MfaInvalid: "denied",
    TokenMismatch: "denied",
    RateLimited: "rate_limited",
}
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`permission` None lets every principal in. `limit` names a rate limit, `reads` projections.

    `control` names a control action: what is refused of it is on record too. `gate` is the permission's name
    in the gate log; without one it is a part of `auth`. `step` ends it: what the endpoint did or refused.
    """

    public: bool = False
    permission: Permission | None = None
    limit: str | None = None
    control: str | None = None
    gate: str | None = None
    step: str | None = None
    reads: tuple[str, ...] = ()
    repeatable: frozenset[str] = frozenset()
    """Query parameters that may stand more than once."""


def administers(
    permission: Permission, control: str, limit: str | None = None
) -> Callable[[_Endpoint], _Endpoint]:
    """Say who may steer the desk: a control action that passes no gate of trading."""
    return access(permission, limit=limit, control=control, gate="admin_permission", step=control)


def access(
    permission: Permission | None = None,
    *,
    public: bool = False,
    limit: str | None = None,
    control: str | None = None,
    gate: str | None = None,
    step: str | None = None,
    reads: tuple[str, ...] = (),
    repeatable: frozenset[str] = frozenset(),
) -> Callable[[_Endpoint], _Endpoint]:
    """Say who may call an endpoint; stands under its route decorator."""
    rule = Access(
        public=public,
        permission=permission,
        limit=limit,
        control=control,
        gate=gate,
        step=step,
        reads=reads,
        repeatable=repeatable,
    )

    def mark(endpoint: _Endpoint) -> _Endpoint:
        endpoint.__dict__["access"] = rule
        return endpoint

    return mark


class GuardedRoute(APIRoute):
    """Authentication, permission, rate limit, then the body; in this order, once each."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        rule: Access = self.endpoint.__dict__["access"]
        reads_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            bounded = BoundedRequest(request.scope, request.receive)
            house = house_of(bounded)
            try:
                await _admit(bounded, house, rule)
                _refuse_repetitions(bounded, rule)
                if reads_body and await bounded.body():
                    await bounded.json()
                if bounded.method == "GET" and not rule.public:
                    await _read_your_writes(bounded, house, rule)
                response = await handle(bounded)
            except Refusal as refusal:
                _close(bounded, rule, "block", refusal.detail)
                await _audit(bounded, house, rule, refusal)
                raise
            _close(bounded, rule, "success")
            if rule.control is not None:
                house.metrics.admin_actions.labels(action=rule.control).inc()
                log("gateway.api").info("control action", action=rule.control, outcome="success")
            return response

        return guarded


async def _audit(request: Request, house: House, rule: Access, refusal: Refusal) -> None:
    """A refused control action of somebody we know goes on record; strangers are only counted."""
    principal: Principal | None = getattr(request.state, "principal", None)
    if rule.control is None or principal is None:
        return
    outcome = _OUTCOMES.get(type(refusal), "failed")
    request_id: str = request.state.request_id
    log("gateway.api").warning("control action", action=rule.control, outcome=outcome, code=refusal.code)
    await house.audit.control_refused(
        rule.control, outcome, principal.actor(), request_id, {"code": refusal.code}
    )


async def _admit(request: Request, house: House, rule: Access) -> None:
    """Raises a Refusal of the gates `auth` and `rate_limit`."""
    house.track("auth")
    if rule.public:
        house.track("rate_limit")
        return
    request.state.gate_log = house.new_gate_log()
    with gate(request, "auth"):
        principal = request.state.principal = await house.door(request)
        if rule.gate is None:
            _require(rule.permission, principal)
    house.track("rate_limit")
    if rule.gate is None:
        await _limit(request, house, rule, principal)
        return
    with gate(request, rule.gate):
        _require(rule.permission, principal)
        await _limit(request, house, rule, principal)


def _require(permission: Permission | None, principal: Principal) -> None:
    if permission is not None and not principal.may(permission):
        raise PermissionDenied(f"{permission} is needed", permission=permission)


async def _limit(request: Request, house: House, rule: Access, principal: Principal) -> None:
    if rule.limit is not None:
        await house.limiter(request, rule.limit, principal)


def _close(request: Request, rule: Access, outcome: str, detail: str | None = None) -> None:
    """The endpoint's own step, unless the endpoint has entered it where it happened."""
    if rule.step is not None and rule.step not in request.state.gate_log.names:
        entered(request, rule.step, outcome, detail)


def _refuse_repetitions(request: Request, rule: Access) -> None:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if count > 1 and name not in rule.repeatable:
            raise _invalid(("query",), "repeated", "a query parameter stands more than once")


async def _read_your_writes(request: Request, house: House, rule: Access) -> None:
    """Wait until what this answer is read from has seen the position the caller has seen."""
    wanted = max(
        _position(request.headers.get("x-ledger-position"), "header", "X-Ledger-Position"),
        _position(request.query_params.get("min_position"), "query", "min_position"),
    )
    if not wanted:
        return
    head = await house.ledger.log.head()
    if wanted > head:
        raise _invalid(("query", "min_position"), "beyond_head", f"is beyond the head of the ledger, {head}")
    if rule.reads:
        await house.projections.wait_for(wanted, rule.reads, house.read_wait_seconds)


def _position(text: str | None, place: str, name: str) -> int:
    if text is None:
        return 0
    if not _POSITION.fullmatch(text):
        raise _invalid((place, name), "ledger_position", "is not a ledger position")
    return int(text)


def _invalid(loc: tuple[str, ...], kind: str, words: str) -> RequestValidationError:
    return RequestValidationError([{"type": kind, "loc": loc, "msg": words}])
