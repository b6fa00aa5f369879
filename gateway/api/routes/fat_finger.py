"""The size limits every order is held against."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.aggregates.risk_limits import Thresholds
from gateway.api.deps import Desk
from gateway.api.guard import GuardedRoute, access
from gateway.api.schemas.controls import FatFingerThresholds, FatFingerThresholdsResponse

router = APIRouter(prefix="/api/v1/fat-finger", route_class=GuardedRoute, tags=["safety"])


@router.get("/thresholds")
@access()
async def fat_finger_thresholds(desk: Desk) -> FatFingerThresholdsResponse:
    """The thresholds in force. In an override, null means that the default applies."""
    standing = await desk.controls.thresholds()
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
