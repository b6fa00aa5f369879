"""The gates of the way out: what only shrinks a holding passes whatever stops new risk, without Redis."""

from __future__ import annotations

from gateway.aggregates.vocabulary import Symbol, position_stream
from gateway.commands.gates.walk import Surroundings, Verdict, Walk
from gateway.commands.reduce_only import (
    LiveHolding,
    holding_in_ledger,
    read_holding,
    refuse_beyond_closable,
)


async def reduce_only_lock(walk: Walk) -> Verdict:
    """The live holding, read at a version of the position that must still stand under the writer's lock."""
    if walk.holding is None:
        walk.holding = await hold(walk.around, walk.ticket.symbol)
    return Verdict.PASS


async def hold(around: Surroundings, symbol: Symbol) -> LiveHolding:
    """Raises ReconciliationBrokerUnavailable."""
    if around.rules.dry_run:
        return await holding_in_ledger(around.ledger, symbol)
    return await read_holding(around.broker, around.ledger, symbol)


async def reduce_only(walk: Walk) -> Verdict:
    """Never more than is closable. An id the ledger knows is not refused here; it is answered next."""
    walk.getting_out = True
    known = await walk.known_order()
    if known is None or known.status.is_closed_unsent:
        assert walk.holding is not None, "the gate before this one holds it"
        position, _ = await walk.around.ledger.load(position_stream(walk.ticket.symbol))
        refuse_beyond_closable(walk.ticket, walk.holding, position)
    return Verdict.PASS
