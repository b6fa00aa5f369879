"""The authority: the safety rules judged once more, on ledger state, in the serial order of the log.

The gates before it are fast and read copies. What is decided here is decided under the writer's lock, so no
two intents can both pass on a state the other has changed.
"""

from __future__ import annotations

from gateway.aggregates.position.state import Position
from gateway.aggregates.vocabulary import Ticket, position_stream
from gateway.commands.gates.safety import refuse_engaged, refuse_quarantined, refuse_tripped
from gateway.commands.gates.walk import Walk
from gateway.commands.reduce_only import HoldingMoved, refuse_beyond_closable, refuse_increase
from gateway.commands.safety_view import (
    CIRCUIT_BREAKER,
    mirrored_breaker,
    mirrored_switch,
    scopes_covering,
    switch_stream,
)
from gateway.ledger.decision import States


def judge(walk: Walk, states: States) -> None:
    """Raises the refusal of the gate it repeats, or HoldingMoved when a gated read has to be repeated."""
    ticket = walk.ticket
    position = states[position_stream(ticket.symbol)]
    if not walk.getting_out:
        refuse_engaged_scopes(ticket, states)
        if walk.around.rules.circuit_breaker_enabled:
            refuse_tripped(mirrored_breaker(states[CIRCUIT_BREAKER], states.version(CIRCUIT_BREAKER)))
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
    scopes = scopes_covering(ticket.strategy_id, ticket.symbol)
    touched = ((scope, states[switch_stream(scope)]) for scope in scopes)
    refuse_engaged(
        mirrored_switch(scope, switch, states.version(switch_stream(scope)))
        for scope, switch in touched
        if switch is not None
    )
