"""What happened to the account without a trade: on record once, and a split in every book it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from gateway.aggregates.activities import SPLIT, ActivityRecorded, record, split_terms
from gateway.aggregates.exact import minus, total
from gateway.aggregates.position.events import PositionEvent
from gateway.aggregates.position.state import Position
from gateway.aggregates.reports import AccountActivity
from gateway.aggregates.restatement import traded_since
from gateway.aggregates.splits import split
from gateway.aggregates.vocabulary import BROKER, ReportSource, activity_stream, position_stream
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger


@dataclass(slots=True, kw_only=True)
class RecordActivity:
    ledger: Ledger

    async def __call__(self, occasion: Sequence[AccountActivity], *, correlation_id: str) -> int:
        """All of one occasion in one append. Returns how many were new. Raises LedgerUnavailable."""
        books = {position_stream(a.symbol) for a in occasion if a.kind == SPLIT and a.symbol is not None}
        streams = {activity_stream(activity.activity_id): activity for activity in occasion}

        def decide(states: States) -> Decision:
            told = [
                Uncommitted(stream=stream, event=event)
                for stream, activity in streams.items()
                for event in record(states[stream], activity)
            ]
            whole = len(told) == len(streams)
            return Decision(events=[*told, *(_split(states, occasion, books) if whole else ())])

        first = occasion[0]
        cause = Cause(
            command_id=f"activity:{uuid4()}",
            actor=BROKER,
            correlation_id=correlation_id,
            source=ReportSource.ACTIVITY.value,
            occurred_at=first.at,
        )
        change = await self.ledger.writer.change({*streams, *books}, decide, cause, history=books)
        return sum(isinstance(recorded.event, ActivityRecorded) for recorded in change.events)


def _split(
    states: States, occasion: Sequence[AccountActivity], books: Sequence[str] | set[str]
) -> list[Uncommitted]:
    if len(books) != 1:
        return []
    (stream,) = books
    position: Position = states[stream] or Position()
    history: list[Any] = [recorded.event for recorded in states.history(stream)]
    since = total(traded_since(occasion[0].at, history).values())
    terms = split_terms(occasion, minus(position.qty, since))
    events: tuple[PositionEvent, ...] = split(position, terms, history) if terms is not None else ()
    return [Uncommitted(stream=stream, event=event) for event in events]
