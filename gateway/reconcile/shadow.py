"""A pass that writes nothing: the same code over a writer that keeps what would be written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.ledger.cache import Desk
from gateway.ledger.decision import Change, Decide, Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.ledger.writer import Writer


class _Captured(Exception):
    def __init__(self, decision: Decision, states: States) -> None:
        super().__init__("captured")
        self.decision = decision
        self.states = states


@dataclass(slots=True)
class ShadowWriter:
    """Decides on the newest states like the real writer, and commits none of it."""

    writer: Writer
    would_write: list[Uncommitted] = field(default_factory=list)

    async def change(
        self,
        streams: Collection[str],
        decide: Decide,
        cause: Cause,
        *,
        history: Collection[str] = (),
        new: Collection[str] = (),
    ) -> Change:
        def capture(states: States) -> Decision:
            raise _Captured(decide(states), states)

        try:
            return await self.writer.change(streams, capture, cause, history=history, new=new)
        except _Captured as captured:
            self.would_write.extend(captured.decision.events)
            return Change(events=(), position=captured.states.position, states=captured.states)


class ShadowLedger:
    """The ledger as a shadow pass sees it: everything is real but the writing."""

    def __init__(self, ledger: Ledger) -> None:
        self.writer: Final = ShadowWriter(ledger.writer)
        self.log: Final = ledger.log
        self.inbox: Final = ledger.inbox
        self._ledger: Final = ledger

    @property
    def desk(self) -> Desk:
        return self._ledger.desk

    async def catch_up(self) -> None:
        await self._ledger.catch_up()

    async def load(self, stream: str) -> tuple[Any | None, int]:
        return await self._ledger.load(stream)
