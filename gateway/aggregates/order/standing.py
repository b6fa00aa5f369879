"""What the broker has said about an order's state, kept so that arrival order does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from gateway.aggregates.copying import changed
from gateway.aggregates.vocabulary import OrdStatus, ReportSource

PENDING: Final = frozenset({OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE})
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)

Weight = tuple[datetime, int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One state the broker reported. `at` is the broker's time; a word without one never outranks."""

    broker_status: str
    status: OrdStatus | None
    at: datetime | None
    source: ReportSource

    @property
    def weight(self) -> Weight:
        """Later broker time, then higher rank, then source; the text settles what is left."""
        rank = self.status.rank if self.status else 0
        return (self.at or _NO_TIME, rank, -self.source.priority, self.broker_status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The newest word of each kind. `closings` has the newest of each terminal status."""

    open: Word | None = None
    pending: Word | None = None
    filled: Word | None = None
    newest: Word | None = None
    """The newest word of all, known to our table or not: what `broker_status` shows."""
    closings: Mapping[OrdStatus, Word] = field(default_factory=dict)
    cancel_rejected_at: datetime | None = None

    @property
    def closing(self) -> Word | None:
        """The terminal report that counts: the latest by broker time, then by source."""
        return max(self.closings.values(), key=_closing_weight, default=None)

    def current(self, last_fill: datetime | None) -> OrdStatus | None:
        """The open status that counts, given the broker time of the newest live execution, if any.

        A pending cancel or replace outlives executions: it ends with a newer word or with its refusal. A
        word below `partially_filled` says nothing against an execution.
        """
        if self._pending_in_force and self.pending is not None:
            return self.pending.status
        said = self.open.status if self.open else None
        if self.open is None or said is None or last_fill is None:
            return said if last_fill is None else OrdStatus.PARTIALLY_FILLED
        filled = (last_fill, OrdStatus.PARTIALLY_FILLED.rank)
        outranks = said.rank >= OrdStatus.PARTIALLY_FILLED.rank and self.open.weight[:2] > filled
        return said if outranks else OrdStatus.PARTIALLY_FILLED

    @property
    def _pending_in_force(self) -> bool:
        if self.pending is None or (self.open is not None and self.open.weight > self.pending.weight):
            return False
        rejected = self.pending.status is OrdStatus.PENDING_CANCEL and self.cancel_rejected_at
        return not rejected or self.pending.weight[0] > rejected

    def hears(self, word: Word) -> Standing:
        """The standing after one more word. Older words leave it as it was."""
        heard = changed(self, newest=_newer(self.newest, word))
        if word.status is None:
            return heard
        if word.status is OrdStatus.FILLED:
            return changed(heard, filled=_newer(self.filled, word))
        if word.status.is_broker_terminal:
            newer = _newer(self.closings.get(word.status), word)
            return changed(heard, closings={**self.closings, word.status: newer})
        if word.status in PENDING:
            return changed(heard, pending=_newer(self.pending, word))
        return changed(heard, open=_newer(self.open, word))

    def refuses_cancel(self, at: datetime | None) -> Standing:
        """The broker refused a cancel: every `pending_cancel` up to then is void."""
        known = [t for t in (self.cancel_rejected_at, at) if t is not None]
        if at is None and self.pending is not None and self.pending.status is OrdStatus.PENDING_CANCEL:
            return changed(self, pending=None)
        return changed(self, cancel_rejected_at=max(known, default=None))


def _newer(kept: Word | None, word: Word) -> Word:
    return word if kept is None or word.weight > kept.weight else kept


def _closing_weight(word: Word) -> tuple[datetime, int, str]:
    at, _, source, text = word.weight
    return at, source, text
