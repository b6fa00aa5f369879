"""A pass that writes nothing: the same code over a writer that keeps what would be written."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.ledger.cache import Desk, Entry, advance
from gateway.ledger.catalog_types import Catalog
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
    """Decides on the newest states and what it would have written so far, and commits none of it."""

    writer: Writer
    catalog: Catalog
    would_write: list[Uncommitted] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    """The streams it would have written to, as they would stand."""

    async def change(
        self,
        streams: Collection[str],
        decide: Decide,
        cause: Cause,
        *,
        history: Collection[str] = (),
        new: Collection[str] = (),
    ) -> Change:
        named = {*streams, *history, *new}

        def capture(states: States) -> Decision:
            imagined = self._imagined(states, named, history)
            raise _Captured(decide(imagined), imagined)

        try:
            return await self.writer.change(streams, capture, cause, history=history, new=new)
        except _Captured as captured:
            self._fold(captured.decision, captured.states)
            after = self._imagined(captured.states, named, ())
            return Change(events=(), position=captured.states.position, states=after)

    def _imagined(self, states: States, named: Collection[str], history: Collection[str]) -> States:
        known = {stream: Entry(states.version(stream), states[stream]) for stream in named}
        past = {stream: states.history(stream) for stream in history}
        written = {stream: entry for stream, entry in self.entries.items() if stream in named}
        return States({**known, **written}, past, states.desk)

    def _fold(self, decision: Decision, states: States) -> None:
        for uncommitted in decision.events:
            stream = uncommitted.stream
            before = self.entries.get(stream) or Entry(states.version(stream), states[stream])
            kind = self.catalog.kind_of(stream)
            self.entries[stream] = advance(kind, before, uncommitted.event, before.version + 1)
            self.would_write.append(uncommitted)


class ShadowLedger:
    """The ledger as a shadow pass sees it: everything is real but the writing."""

    def __init__(self, ledger: Ledger) -> None:
        self.writer: Final = ShadowWriter(ledger.writer, ledger.catalog)
        self.log: Final = ledger.log
        self.inbox: Final = ledger.inbox
        self._ledger: Final = ledger

    @property
    def desk(self) -> Desk:
        return self._ledger.desk

    def turn(self, name: str, *, patience: float) -> AbstractAsyncContextManager[None]:
        """Nobody has to wait for what writes nothing."""
        return nullcontext()

    async def catch_up(self) -> None:
        await self._ledger.catch_up()

    async def load(self, stream: str) -> tuple[Any | None, int]:
        written = self.writer.entries.get(stream)
        if written is not None:
            return written.state, written.version
        return await self._ledger.load(stream)
