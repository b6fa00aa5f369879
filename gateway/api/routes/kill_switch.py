"""The kill switch: engage, disengage, look. Scopes are independent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError

from gateway.aggregates.kill_switch import KillSwitch
from gateway.aggregates.refusals import ReconciliationBrokerUnavailable
from gateway.aggregates.vocabulary import Symbol
from gateway.api.deps import Caller, CorrelationId, Desk, Gates, House, answered_at, entered, gate
from gateway.api.desk import SwitchStanding
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import json_value
from gateway.api.manual_answers import cancel_results, flatten_result
from gateway.api.refusals import PermissionDenied
from gateway.api.roles import Permission, Principal
from gateway.api.schemas.controls import (
    DisengageBody,
    EngageBody,
    KillSwitchStatus,
    Mirror,
    ScopeKind,
    scope_text,
)
from gateway.commands.by_hand import Extent, ManualAction, ManualRequest

router = APIRouter(prefix="/api/v1/kill-switch", route_class=GuardedRoute, tags=["safety"])
_GATE: Final = "kill_switch_operator_permission"


@router.post("/engage")
@access(Permission.OPERATE_KILL_SWITCH, control="kill_switch_engage", gate=_GATE, step="engage")
async def engage_kill_switch(
    *,
    body: EngageBody,
    request: Request,
    desk: Desk,
    caller: Caller,
    correlation_id: CorrelationId,
    gates: Gates,
) -> KillSwitchStatus:
    """Block every new order of the scope. Needs only the ledger; the flags act once that is on record."""
    asked = ManualRequest(
        action=ManualAction.FLATTEN if body.flatten else ManualAction.CANCEL,
        by=caller.actor(body.operator),
        at=desk.clock.now(),
        reason=body.reason,
        correlation_id=correlation_id,
        log=gates,
        scope=caller.scope,
    )
    await _admit(body, asked, request, desk, caller)
    standing = await desk.controls.engage_kill_switch(
        body.text,
        reason=body.reason,
        details=json_value(body.details),
        by=asked.by,
        correlation_id=correlation_id,
    )
    entered(request, "engage", "success")  # here: what the flags lead to walks gates of its own
    done = await _act(body, asked, desk)
    answered_at(request, desk.ledger.desk.position if done else standing.position)
    return _status(standing, desk.clock.now().date()).model_copy(update=done)


async def _admit(
    body: EngageBody, asked: ManualRequest, request: Request, desk: House, caller: Principal
) -> None:
    """What the flags may do is settled before anything happens. Raises a Refusal."""
    if not (body.flatten or body.cancel_open_orders):
        return
    needed = Permission.FLATTEN_ALL if body.flatten else Permission.CANCEL_ORDER
    if not caller.may(needed):
        raise PermissionDenied(f"{needed} is needed", permission=needed)
    await desk.by_hand.admit(body.extent, await _touched(body.extent, desk), asked)
    if body.flatten:
        with gate(request, "mfa"):
            await desk.second_factor(body.id_token, caller.sub)


async def _touched(extent: Extent, desk: House) -> Sequence[Symbol]:
    """A broker that cannot be read keeps nobody from engaging."""
    try:
        return await desk.by_hand.touched(extent)
    except ReconciliationBrokerUnavailable:
        return ()


async def _act(body: EngageBody, asked: ManualRequest, desk: House) -> dict[str, Any]:
    """Cancel and close what the flags ask for; what fails shows in the results and undoes nothing."""
    if body.flatten:
        found = await desk.by_hand.flatten(body.extent, await _touched(body.extent, desk), asked)
        return {
            "cancel_results": cancel_results(canceled for one in found for canceled in one.canceled),
            "flatten_results": [flatten_result(one) for one in found],
        }
    if body.cancel_open_orders:
        return {"cancel_results": cancel_results(await desk.by_hand.cancel_all(body.extent, asked))}
    return {}


@router.post("/disengage")
@access(Permission.OPERATE_KILL_SWITCH, control="kill_switch_disengage", gate=_GATE, step="disengage")
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
