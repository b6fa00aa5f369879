"""The gates that look at the desk's safety state: kill switch, breaker, room, quarantine, reconciliation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from gateway.aggregates.recon_gate import GateState
from gateway.aggregates.refusals import (
    CircuitBreakerTripped,
    CircuitBreakerUnavailable,
    KillSwitchEngaged,
    KillSwitchUnavailable,
    PositionReservationUnavailable,
    Quarantined,
    QuarantineUnavailable,
)
from gateway.aggregates.vocabulary import Symbol, Ticket
from gateway.commands.gates.walk import Surroundings, Verdict, Walk
from gateway.commands.reduce_only import read_holding, refuse_increase
from gateway.commands.safety_view import (
    CIRCUIT_BREAKER,
    quarantine_of,
    scopes_covering,
    switch_stream,
)
from gateway.ports import MirroredBreaker, MirroredSwitch, MirrorReading, MirrorUnavailable


async def kill_switch_unavailable(walk: Walk) -> Verdict:
    """The mirror answers, and knows every kill-switch event the ledger knows."""
    walk.reading = await read_switches(walk.around, walk.ticket)
    return Verdict.PASS


async def read_switches(around: Surroundings, ticket: Ticket) -> MirrorReading:
    """One fresh reading of the mirror. Raises KillSwitchUnavailable when it cannot be trusted."""
    try:
        reading = await around.mirror.read(strategy_id=ticket.strategy_id, symbol=ticket.symbol)
    except MirrorUnavailable as error:
        around.request_mirror_rebuild("unavailable")
        raise KillSwitchUnavailable(f"the safety state in Redis cannot be read ({error})") from error
    desk = around.ledger.desk
    for scope in scopes_covering(ticket.strategy_id, ticket.symbol):
        mirrored = reading.switches.get(scope)
        if (mirrored.version if mirrored else 0) >= desk.version(switch_stream(scope)):
            continue
        around.request_mirror_rebuild("kill_switch_behind")
        raise KillSwitchUnavailable(
            "the safety state in Redis is older than the ledger's; it is being rebuilt"
        )
    return reading


async def circuit_breaker_unavailable(walk: Walk) -> Verdict:
    """The mirror knows the breaker's last event; skipped when configuration switched the breaker off."""
    if not walk.around.rules.circuit_breaker_enabled:
        return Verdict.SKIP
    require_current_breaker(walk.around, _reading(walk))
    return Verdict.PASS


def require_current_breaker(around: Surroundings, reading: MirrorReading) -> None:
    """Raises CircuitBreakerUnavailable when the mirror has not seen the breaker's last event."""
    if reading.breaker.version < around.ledger.desk.version(CIRCUIT_BREAKER):
        around.request_mirror_rebuild("circuit_breaker_behind")
        raise CircuitBreakerUnavailable("the breaker's state in Redis is older than the ledger's")


async def position_reservation_unavailable(walk: Walk) -> Verdict:
    """The room of the symbol is in the mirror."""
    if not _reading(walk).room_known:
        walk.around.request_mirror_rebuild("room_missing")
        raise PositionReservationUnavailable(f"the room of {walk.ticket.symbol} is not in Redis")
    return Verdict.PASS


async def kill_switch_engaged(walk: Walk) -> Verdict:
    """No scope that covers the order is engaged: the whole desk, its strategy, its symbol."""
    refuse_engaged(_reading(walk).switches.values())
    return Verdict.PASS


def refuse_engaged(switches: Iterable[MirroredSwitch]) -> None:
    """Raises KillSwitchEngaged when any of the scopes that cover an order is engaged."""
    for switch in switches:
        if switch.engaged:
            kind, _, target = switch.scope.partition(":")
            raise KillSwitchEngaged(
                f"new orders are blocked ({switch.scope}, by {switch.by}: {switch.reason})",
                scope=kind,
                target=target or None,
                engaged_by=switch.by,
                engaged_at=switch.at,
                reason=switch.reason,
            )


async def circuit_breaker_tripped(walk: Walk) -> Verdict:
    """The breaker is not tripped; its quiet period lets trading go on."""
    if not walk.around.rules.circuit_breaker_enabled:
        return Verdict.SKIP
    refuse_tripped(_reading(walk).breaker)
    return Verdict.PASS


def refuse_tripped(breaker: MirroredBreaker) -> None:
    """Raises CircuitBreakerTripped."""
    if breaker.tripped:
        raise CircuitBreakerTripped(
            f"trading is stopped ({breaker.reason})", trip_reason=breaker.reason, tripped_at=breaker.at
        )


async def quarantine(walk: Walk) -> Verdict:
    """The symbol is not quarantined for this strategy or for everybody."""
    ticket, mirrored = walk.ticket, _reading(walk).quarantine
    if mirrored is not None:
        refuse_quarantined(ticket.symbol, mirrored.reason)
    if quarantine_of(walk.around.ledger.desk, ticket.strategy_id, ticket.symbol) is not None:
        walk.around.request_mirror_rebuild("quarantine_behind")
        raise QuarantineUnavailable("the quarantines in Redis are older than the ledger's")
    return Verdict.PASS


def refuse_quarantined(symbol: Symbol, reason: str) -> NoReturn:
    """Raises Quarantined."""
    raise Quarantined(f"{symbol} is quarantined: {reason}", symbol=symbol, reason=reason)


async def recon_gate(walk: Walk) -> Verdict:
    """Open after a pass of this process, closed while its loop is dead; then only what reduces may go."""
    around = walk.around
    if around.rules.dry_run or around.gate_state() is not GateState.CLOSED:
        return Verdict.PASS
    walk.holding = await read_holding(around.broker, around.ledger, walk.ticket.symbol)
    refuse_increase(walk.ticket, walk.holding, None)
    return Verdict.PASS


def _reading(walk: Walk) -> MirrorReading:
    if walk.reading is None:
        raise KillSwitchUnavailable("the safety state was not read")
    return walk.reading
