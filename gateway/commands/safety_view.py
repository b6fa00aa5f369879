"""The desk's safety streams, and what the ledger itself says about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.aggregates.circuit_breaker import CircuitBreaker
from gateway.aggregates.kill_switch import KillSwitch
from gateway.aggregates.position.state import Position
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId, Symbol, Ticket, position_stream
from gateway.ledger.cache import Desk
from gateway.ports import (
    MirroredBreaker,
    MirroredQuarantine,
    MirroredRoom,
    MirroredSwitch,
    SafetyState,
)

KILL_SWITCH: Final = "kill-switch-"
CIRCUIT_BREAKER: Final = "circuit-breaker"
RISK_LIMITS: Final = "risk-limits"
RECON_GATE: Final = "recon-gate"
POSITION: Final = "position-"
GLOBAL: Final = "global"


def scope_of(kind: str, target: str | None) -> str:
    """`global`, `strategy:{id}` or `symbol:{SYMBOL}`."""
    return GLOBAL if kind == GLOBAL else f"{kind}:{target}"


def symbol_of(stream: str) -> Symbol:
    """The symbol a position stream is about."""
    return Symbol(stream.removeprefix(POSITION))


def switch_stream(scope: str) -> str:
    return f"{KILL_SWITCH}{scope}"


def scopes_covering(strategy_id: StrategyId, symbol: Symbol) -> tuple[str, str, str]:
    """The kill-switch scopes an order falls under."""
    return GLOBAL, f"strategy:{strategy_id}", f"symbol:{symbol}"


def safety_streams(ticket: Ticket) -> tuple[str, ...]:
    """Every stream whose state may forbid this order."""
    return (
        *(switch_stream(scope) for scope in scopes_covering(ticket.strategy_id, ticket.symbol)),
        CIRCUIT_BREAKER,
    )


def quarantine_of(desk: Desk, strategy_id: StrategyId, symbol: Symbol) -> str | None:
    """Why the ledger holds this symbol in quarantine for this strategy, or None."""
    position = desk.state(position_stream(symbol))
    entry = position.quarantine_for(strategy_id) if position is not None else None
    return entry.reason if entry is not None else None


def mirrored_switch(scope: str, switch: KillSwitch, version: int) -> MirroredSwitch:
    return MirroredSwitch(
        scope=scope,
        engaged=switch.engaged,
        version=version,
        by=switch.engaged_by,
        at=switch.engaged_at,
        reason=switch.reason,
    )


def mirrored_breaker(breaker: CircuitBreaker | None, version: int) -> MirroredBreaker:
    if breaker is None:
        return MirroredBreaker(tripped=False, version=0)
    return MirroredBreaker(
        tripped=breaker.tripped, version=version, reason=breaker.trip_reason, at=breaker.tripped_at
    )


def mirrored_room(
    stream: str, position: Position, version: int, recorded: frozenset[ClientOrderId] = frozenset()
) -> MirroredRoom:
    """`recorded` are orders the ledger has taken room for since, also those that hold none any more."""
    return MirroredRoom(
        symbol=symbol_of(stream),
        qty=position.account.qty,
        version=version,
        leaves=dict(position.reserved),
        recorded=recorded,
    )


def quarantines(desk: Desk) -> Iterator[MirroredQuarantine]:
    for stream, position in desk.live(POSITION):
        for entry in position.quarantines.values():
            yield MirroredQuarantine(
                strategy_id=entry.strategy_id, symbol=symbol_of(stream), reason=entry.reason
            )


def safety_state(desk: Desk, flat: Iterable[Symbol] = ()) -> SafetyState:
    """Everything the mirror is built from, as of the desk's position; `flat` symbols are shown as well."""
    positions = dict(desk.live(POSITION))
    for stream in map(position_stream, flat):
        positions.setdefault(stream, desk.state(stream))
    return SafetyState(
        position=desk.position,
        switches=[
            mirrored_switch(stream.removeprefix(KILL_SWITCH), switch, desk.version(stream))
            for stream, switch in desk.live(KILL_SWITCH)
        ],
        breaker=mirrored_breaker(desk.state(CIRCUIT_BREAKER), desk.version(CIRCUIT_BREAKER)),
        quarantines=list(quarantines(desk)),
        rooms=[
            mirrored_room(stream, position, desk.version(stream))
            for stream, position in positions.items()
            if position is not None
        ],
    )
