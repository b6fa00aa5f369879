"""Strategies: which there are, and how each is doing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path

from gateway.aggregates.vocabulary import OrdStatus, StrategyId
from gateway.api.deps import Caller, Desk, House
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import StrategyIn
from gateway.api.refusals import StrategyNotFound
from gateway.api.roles import Permission
from gateway.api.schemas.strategies import StrategiesListResponse, StrategyState, StrategyStatusResponse
from gateway.api.scope import require_scope, require_some_strategy
from gateway.projections.queries.strategies import Activity, strategies

router = APIRouter(prefix="/api/v1/strategies", route_class=GuardedRoute, tags=["strategies"])
_READS = ("orders", "strategy_positions", "fills")
_ERRORS_SHOWN: Final = timedelta(hours=24)
_TROUBLE: Final = (OrdStatus.REJECTED, OrdStatus.FAILED, OrdStatus.SUBMITTED_UNCONFIRMED)


@router.get("")
@access(Permission.VIEW_POSITIONS, reads=_READS)
async def list_strategies(desk: Desk, caller: Caller) -> StrategiesListResponse:
    """Every strategy the caller sees that ever did something, and the one orders belong to by default."""
    require_some_strategy(caller)
    now, known, stopped = desk.clock.now(), await _known(desk), await _stopped(desk)
    shown = [
        _shown(desk, strategy_id, activity, now, paused=_covers(stopped, strategy_id))
        for strategy_id, activity in sorted(known.items())
        if caller.sees(strategy_id)
    ]
    return StrategiesListResponse(strategies=shown, total_count=len(shown), timestamp=now)


@router.get("/{strategy_id}")
@access(Permission.VIEW_POSITIONS, reads=_READS)
async def strategy_status(
    strategy_id: Annotated[StrategyIn, Path()], desk: Desk, caller: Caller
) -> StrategyStatusResponse:
    """How one strategy is doing."""
    require_some_strategy(caller)
    require_scope(caller, strategy_id)
    known = await _known(desk)
    if strategy_id not in known:
        raise StrategyNotFound("nothing was ever done for this strategy", strategy_id=strategy_id)
    paused = _covers(await _stopped(desk), strategy_id)
    return _shown(desk, strategy_id, known[strategy_id], desk.clock.now(), paused=paused)


async def _known(desk: House) -> Mapping[str, Activity]:
    now = desk.clock.now()
    async with desk.read.snapshot() as snapshot:
        found = await strategies(snapshot, today=now.date(), errors_since=now - _ERRORS_SHOWN)
    return {desk.about.strategy_id: Activity(), **found}


async def _stopped(desk: House) -> frozenset[str]:
    """The kill-switch scopes that are engaged now."""
    standing = await desk.controls.kill_switch_status("global")
    everybody = {"global"} if standing.switch is not None and standing.switch.engaged else set[str]()
    return frozenset({*everybody, *await desk.controls.engaged_scopes()})


def _covers(stopped: frozenset[str], strategy_id: str) -> bool:
    return not stopped.isdisjoint({"global", f"strategy:{strategy_id}"})


def _shown(
    desk: House, strategy_id: StrategyId | str, activity: Activity, now: datetime, *, paused: bool
) -> StrategyStatusResponse:
    return StrategyStatusResponse(
        strategy_id=strategy_id,
        name=strategy_id.replace("_", " ").title(),
        status="paused" if paused else _state(activity, now, desk.about.strategy_activity_seconds),
        model_version=None,
        model_status=None,
        last_signal_at=activity.newest_at,
        last_error=activity.last_error,
        positions_count=activity.positions,
        open_orders_count=activity.open_orders,
        today_pnl=activity.realized,
        timestamp=now,
    )


def _state(activity: Activity, now: datetime, activity_seconds: float) -> StrategyState:
    if activity.newest_status in _TROUBLE:
        return "error"
    if activity.positions or activity.open_orders:
        return "active"
    recent = activity.newest_at is not None and now - activity.newest_at < timedelta(seconds=activity_seconds)
    return "active" if recent else "inactive"
