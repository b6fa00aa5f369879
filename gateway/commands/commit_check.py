"""The authority: the safety rules judged once more, on ledger state, in the serial order of the log.

The gates before it are fast and read copies. What is decided here is decided under the writer's lock, so no
two intents can both pass on a state the other has changed.
"""

from __future__ import annotations

from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import CircuitBreakerTripped, KillSwitchEngaged
from gateway.aggregates.vocabulary import Ticket, position_stream
from gateway.commands.gates.safety import refuse_quarantined
from gateway.commands.gates.walk import RiskRules, Walk
from gateway.commands.reduce_only import HoldingMoved, refuse_beyond_closable, refuse_increase
from gateway.commands.safety_view import CIRCUIT_BREAKER, scopes_covering, switch_stream
from gateway.ledger.decision import States


def judge(walk: Walk, states: States) -> None:
    """Raises the refusal of the gate it repeats, or HoldingMoved when a gated read has to be repeated."""
    ticket = walk.ticket
    position = states[position_stream(ticket.symbol)]
    if not walk.getting_out:
        refuse_engaged_scopes(ticket, states)
        refuse_tripped_breaker(walk.around.rules, states)
        _refuse_quarantine(ticket, position)
    if walk.holding is not None:
        if states.version(position_stream(ticket.symbol)) != walk.holding.version:
            raise HoldingMoved
        refuse = refuse_beyond_closable if walk.getting_out else refuse_increase
        refuse(ticket, walk.holding, position, except_for=walk.client_order_id)


def _refuse_quarantine(ticket: Ticket, position: Position | None) -> None:
    entry = position.quarantine_for(ticket.strategy_id) if position is not None else None
    if entry is not None:
        refuse_quarantined(ticket.symbol, entry.reason)


def refuse_engaged_scopes(ticket: Ticket, states: States) -> None:
    """Raises KillSwitchEngaged."""
    for scope in scopes_covering(ticket.strategy_id, ticket.symbol):
        switch = states[switch_stream(scope)]
        if switch is not None and switch.engaged:
            kind, _, target = scope.partition(":")
            raise KillSwitchEngaged(
                f"new orders are blocked ({scope}, by {switch.engaged_by}: {switch.reason})",
                scope=kind,
                target=target or None,
                engaged_by=switch.engaged_by,
                engaged_at=switch.engaged_at,
                reason=switch.reason,
            )


def refuse_tripped_breaker(rules: RiskRules, states: States) -> None:
    """Raises CircuitBreakerTripped, unless configuration switched the breaker off."""
    breaker = states[CIRCUIT_BREAKER]
    if rules.circuit_breaker_enabled and breaker is not None and breaker.tripped:
        raise CircuitBreakerTripped(
            f"trading is stopped ({breaker.trip_reason})",
            trip_reason=breaker.trip_reason,
            tripped_at=breaker.tripped_at,
        )
