"""The size limits every order is held against."""

from __future__ import annotations

from fastapi import APIRouter, Request

from gateway.aggregates.risk_limits import Thresholds
from gateway.api.deps import Caller, CorrelationId, Desk, House, answered_at
from gateway.api.desk import LimitsStanding
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.roles import Permission
from gateway.api.schemas.controls import FatFingerThresholds, FatFingerThresholdsResponse, ThresholdsBody

router = APIRouter(prefix="/api/v1/fat-finger", route_class=GuardedRoute, tags=["safety"])


@router.get("/thresholds")
@access()
async def fat_finger_thresholds(desk: Desk) -> FatFingerThresholdsResponse:
    """The thresholds in force. In an override, null means that the default applies."""
    return _shown(await desk.controls.thresholds(), desk)


@router.put("/thresholds")
@administers(Permission.MANAGE_STRATEGIES, "thresholds_update", limit="thresholds_update")
async def set_fat_finger_thresholds(
    body: ThresholdsBody, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> FatFingerThresholdsResponse:
    """Replace the defaults as a whole, patch or remove overrides; in force at once in every process."""
    default = body.default_thresholds
    standing = await desk.controls.set_thresholds(
        default=Thresholds(**default.given) if default is not None else None,
        overrides={
            symbol: patch.given if patch is not None else None
            for symbol, patch in body.symbol_overrides.items()
        },
        by=caller.actor(),
        correlation_id=correlation_id,
    )
    answered_at(request, standing.position)
    return _shown(standing, desk)


def _shown(standing: LimitsStanding, desk: House) -> FatFingerThresholdsResponse:
    limits = standing.limits
    overrides = limits.overrides if limits is not None else {}
    return FatFingerThresholdsResponse(
        default_thresholds=_thresholds(limits.default if limits is not None else standing.defaults),
        symbol_overrides={symbol: _thresholds(one.thresholds) for symbol, one in overrides.items()},
        updated_at=(limits.updated_at if limits is not None else None) or desk.started_at,
        updated_by=limits.updated_by if limits is not None else None,
    )


def _thresholds(thresholds: Thresholds) -> FatFingerThresholds:
    return FatFingerThresholds(
        max_notional=thresholds.max_notional,
        max_qty=int(thresholds.max_qty) if thresholds.max_qty is not None else None,
        max_adv_pct=thresholds.max_adv_pct,
    )
