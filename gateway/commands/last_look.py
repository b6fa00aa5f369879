"""Kill switch and breaker read afresh, after the intent is durable and before the broker call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.aggregates.refusals import (
    CircuitBreakerTripped,
    CircuitBreakerUnavailable,
    KillSwitchEngaged,
    KillSwitchUnavailable,
    LedgerUnavailable,
)
from gateway.aggregates.vocabulary import StrategyId, Symbol, Ticket
from gateway.commands.gates.safety import (
    read_switches,
    refuse_engaged,
    refuse_tripped,
    require_current_breaker,
)
from gateway.commands.gates.walk import Surroundings
from gateway.ports import MirrorReading

REFUSALS = (KillSwitchUnavailable, KillSwitchEngaged, CircuitBreakerUnavailable, CircuitBreakerTripped)


@dataclass(slots=True)
class _Read:
    task: asyncio.Task[MirrorReading]
    begun: bool = False


@dataclass(slots=True)
class LastLook:
    """One read serves all submissions that began to wait before it was sent; a value is never kept."""

    around: Surroundings
    _reads: dict[tuple[StrategyId, Symbol], _Read] = field(default_factory=dict)

    async def __call__(self, ticket: Ticket) -> None:
        """Raises one of REFUSALS."""
        reading = await self._shared(ticket)
        refuse_engaged(reading.switches.values())
        if self.around.rules.circuit_breaker_enabled:
            require_current_breaker(self.around, reading)
            refuse_tripped(reading.breaker)

    async def _shared(self, ticket: Ticket) -> MirrorReading:
        key = ticket.strategy_id, ticket.symbol
        read = self._reads.get(key)
        if read is None or read.begun:
            read = self._reads[key] = _Read(task=asyncio.create_task(self._read(key, ticket)))
        return await asyncio.shield(read.task)

    async def _read(self, key: tuple[StrategyId, Symbol], ticket: Ticket) -> MirrorReading:
        read = self._reads[key]
        read.begun = True
        try:
            await self.around.ledger.catch_up()  # what other processes engaged counts too
            return await read_switches(self.around, ticket)
        except LedgerUnavailable as error:
            raise KillSwitchUnavailable(f"the ledger cannot be read: {error.detail}") from error
        finally:
            if self._reads.get(key) is read:
                del self._reads[key]
