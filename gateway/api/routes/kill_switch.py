"""The kill switch: engage, disengage, look. Scopes are independent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError

from gateway.aggregates.kill_switch import KillSwitch
from gateway.api.deps import Caller, CorrelationId, Desk, answered_at
from gateway.api.desk import SwitchStanding
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import json_value
from gateway.api.roles import Permission
from gateway.api.schemas.controls import (
    DisengageBody,
    EngageBody,
    KillSwitchStatus,
    Mirror,
    ScopeKind,
    scope_text,
)

router = APIRouter(prefix="/api/v1/kill-switch", route_class=GuardedRoute, tags=["safety"])


@router.post("/engage")
@access(Permission.OPERATE_KILL_SWITCH, control="kill_switch_engage")
async def engage_kill_switch(
    body: EngageBody, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> KillSwitchStatus:
    """Block every new order of the scope. Needs only the ledger."""
    _refuse_extras(body)
    standing = await desk.controls.engage_kill_switch(
        body.text,
        reason=body.reason,
        details=json_value(body.details),
        by=caller.actor(body.operator),
        correlation_id=correlation_id,
    )
    answered_at(request, standing.position)
    return _status(standing, desk.clock.now().date())


@router.post("/disengage")
@access(Permission.OPERATE_KILL_SWITCH, control="kill_switch_disengage")
async def disengage_kill_switch(
    body: DisengageBody, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> KillSwitchStatus:
    """Let new orders of the scope through again. Needs ledger and Redis."""
    standing = await desk.controls.disengage_kill_switch(
        body.text, notes=body.notes, by=caller.actor(body.operator), correlation_id=correlation_id
    )
    answered_at(request, standing.position)
    return _status(standing, desk.clock.now().date())


@router.get("/status")
@access(Permission.VIEW_CIRCUIT_BREAKER)
async def kill_switch_status(
    *,
    desk: Desk,
    scope: ScopeKind = "global",
    target: Annotated[str | None, Query(max_length=50)] = None,
) -> KillSwitchStatus:
    """One scope, and the names of all others that are engaged."""
    try:
        asked = scope_text(scope, target)
    except ValueError as error:
        problem = {"type": "scope", "loc": ("query", "target"), "msg": str(error)}
        raise RequestValidationError([problem]) from error
    standing = await desk.controls.kill_switch_status(asked)
    return _status(standing, desk.clock.now().date(), await desk.controls.engaged_scopes())


def _refuse_extras(body: EngageBody) -> None:
    for name in ("cancel_open_orders", "flatten"):
        if getattr(body, name):
            words = "is not offered by this build; cancel and close after engaging"
            raise RequestValidationError([{"type": "not_offered", "loc": ("body", name), "msg": words}])


def _status(standing: SwitchStanding, today: date, scopes: Sequence[str] | None = None) -> KillSwitchStatus:
    switch = standing.switch or KillSwitch(engaged=False)
    kind, _, target = standing.scope.partition(":")
    return KillSwitchStatus(
        state="ENGAGED" if switch.engaged else "ACTIVE",
        scope=cast(ScopeKind, kind),
        target=target or None,
        engaged_at=switch.engaged_at,
        engaged_by=switch.engaged_by,
        engagement_reason=switch.reason,
        on_behalf_of=switch.on_behalf_of,
        disengaged_at=switch.disengaged_at,
        disengaged_by=switch.disengaged_by,
        engagement_count_today=switch.engagements_today(today),
        ledger_position=standing.position,
        mirror=cast(Mirror, standing.mirror),
        engagement_details=switch.details,
        disengagement_notes=switch.notes,
        cancel_results=None,
        flatten_results=None,
        scopes=list(scopes) if scopes is not None else None,
    )
