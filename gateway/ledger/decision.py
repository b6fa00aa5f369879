"""Deciding: commands in, rows to append and answers out. No I/O, no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.ledger.cache import Desk, Draft, Entry, advance
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.envelope import Cause, Recorded, Uncommitted, Undecodable, known_topic


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxResult:
    """What became of a message; recorded in the same append as the events it led to."""

    inbox_id: int
    disposition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a command wants recorded; nothing at all is a decision too."""

    events: Sequence[Uncommitted] = ()
    inbox: InboxResult | None = None


class NotAsked(LookupError):
    """A decision read or wrote a stream its command did not name: a mistake in the command."""


class States:
    """The streams a command asked for, all as of one position."""

    __slots__ = ("_entries", "_histories", "desk", "position")

    def __init__(
        self, entries: dict[str, Entry], histories: dict[str, tuple[Recorded, ...]], desk: Desk
    ) -> None:
        self._entries: Final = entries
        self._histories: Final = histories
        self.desk: Final = desk
        self.position: Final = desk.position

    def __getitem__(self, stream: str) -> Any | None:
        """The state, None for a stream without events. Raises StreamPoisoned, NotAsked."""
        return self._entry(stream).known_state(stream)

    def version(self, stream: str) -> int:
        return self._entry(stream).version

    def history(self, stream: str) -> tuple[Recorded, ...]:
        """Every event of a stream that was asked for with `history`."""
        try:
            return self._histories[stream]
        except KeyError:
            raise NotAsked(stream) from None

    def _entry(self, stream: str) -> Entry:
        try:
            return self._entries[stream]
        except KeyError:
            raise NotAsked(stream) from None


Decide = Callable[[States], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a command did.

    `position` is that of its last event, or the head it was decided at when it wrote none. `replayed`
    says that its command id had been recorded before, and these are the events recorded then.
    """

    events: tuple[Recorded, ...]
    position: int
    states: States
    replayed: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class Command:
    """A caller's command while it waits for its answer."""

    decide: Decide
    cause: Cause
    streams: frozenset[str]
    history: frozenset[str]
    new: frozenset[str]
    answer: asyncio.Future[Change]
    histories: dict[str, tuple[Recorded, ...]] = field(default_factory=dict)
    unconfirmed: list[tuple[bytes, ...]] = field(default_factory=list)
    """Bodies sent in appends that were never answered: should they turn up, they are ours."""

    def states(self, entries: dict[str, Entry], desk: Desk) -> States:
        """What `decide` sees. A history that was read ahead of the state is cut to it."""
        histories = {s: self.histories.get(s, ())[: entries[s].version] for s in self.history}
        return States(entries, histories, desk)

    def succeed(self, change: Change) -> None:
        if not self.answer.done():
            self.answer.set_result(change)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class EventRow(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """An event on its way into `ledger.append`."""

    position: int
    stream: str
    version: int
    topic: str
    body: str
    occurred_at: datetime
    actor: str
    actor_kind: str
    on_behalf_of: str | None = None
    auth_method: str | None = None
    address: str | None = None
    command_id: str
    command_index: int
    correlation_id: str
    causation_position: int | None = None
    source: str
    lease_epoch: int | None = None
    build: str


class RefRow(msgspec.Struct):
    broker_order_id: str
    client_order_id: str


class ResultRow(msgspec.Struct):
    inbox_id: int
    disposition: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One command's share of a batch."""

    command: Command
    rows: list[EventRow]
    events: list[object]
    states: States


class Batch:
    """Commands decided one after the other on one working copy, ready to be appended at once."""

    def __init__(self, draft: Draft, catalog: Catalog, build: str) -> None:
        self._draft = draft
        self._catalog = catalog
        self._build = build
        self.head: Final = draft.position
        self.position = draft.position
        self.decided: list[Decided] = []
        self.refused: list[tuple[Command, BaseException]] = []
        self.deferred: list[Command] = []
        self.refs: list[RefRow] = []
        self.results: list[ResultRow] = []
        self._command_ids: set[str] = set()

    @property
    def rows(self) -> list[EventRow]:
        return [row for decided in self.decided for row in decided.rows]

    @property
    def assumed_absent(self) -> list[str]:
        return list(self._draft.assumed_absent)

    def decide(self, command: Command) -> None:
        """Decide one command; its refusal is its own, and one that must see the batch recorded waits."""
        command_id = command.cause.command_id
        if command_id in self._command_ids or self._draft.has_changed(command.history):
            self.deferred.append(command)
            return
        self._command_ids.add(command_id)
        try:
            decided, entries, decision = self._try(command)
        except Exception as refusal:  # noqa: BLE001 - it concerns this caller alone and is raised there
            self.refused.append((command, refusal))
            return
        self._draft.put(entries)
        self.position += len(decided.rows)
        self.decided.append(decided)
        if decision.inbox is not None:
            position = self.position if decided.rows else None
            self.results.append(ResultRow(decision.inbox.inbox_id, decision.inbox.disposition, position))

    def keep(self) -> list[tuple[str, Entry]]:
        return self._draft.keep()

    def changes(self, recorded_at: datetime | None) -> list[tuple[Command, Change]]:
        """The answers, once the append is durable."""
        answers = []
        for decided in self.decided:
            events = tuple(
                _as_recorded(row, event, decided.command.cause, recorded_at or row.occurred_at)
                for row, event in zip(decided.rows, decided.events, strict=True)
            )
            position = events[-1].position if events else self.head
            answers.append((decided.command, Change(events=events, position=position, states=decided.states)))
        return answers

    def _try(self, command: Command) -> tuple[Decided, dict[str, Entry], Decision]:
        entries = {stream: self._draft.entry(stream) for stream in command.streams}
        states = command.states(entries, self._draft)
        decision = command.decide(states)
        if not decision.events:
            return Decided(command, [], [], states), {}, decision
        after_entries = dict(entries)
        rows: list[EventRow] = []
        events: list[object] = []
        refs: list[RefRow] = []
        for uncommitted in decision.events:
            row, event = self._record(uncommitted, command.cause, after_entries, len(rows))
            rows.append(row)
            events.append(event)
            self._refer(row.stream, event, refs)
        self.refs.extend(refs)
        changed = {row.stream: after_entries[row.stream] for row in rows}
        after = States(after_entries, {}, self._draft)
        return Decided(command, rows, events, after), changed, decision

    def _record(
        self, uncommitted: Uncommitted, cause: Cause, entries: dict[str, Entry], index: int
    ) -> tuple[EventRow, object]:
        stream = uncommitted.stream
        entry = entries.get(stream)
        if entry is None:
            raise NotAsked(stream)
        entry.known_state(stream)
        topic, body = self._catalog.encode(uncommitted.event)
        event = self._catalog.decode(topic, body)
        if isinstance(event, Undecodable):
            raise ValueError(f"{topic} could not be read back: {event.reason}")
        after = advance(self._catalog.kind_of(stream), entry, event, entry.version + 1)
        if after.poison is not None:
            raise ValueError(f"{topic} cannot be folded into {stream}: {after.poison.reason}")
        entries[stream] = after
        actor = cause.actor
        row = EventRow(
            position=self.position + index + 1,
            stream=stream,
            version=after.version,
            topic=topic,
            body=body.decode(),
            occurred_at=uncommitted.occurred_at or cause.occurred_at,
            actor=actor.sub,
            actor_kind=actor.kind,
            on_behalf_of=actor.on_behalf_of,
            auth_method=actor.auth_method,
            address=actor.address,
            command_id=cause.command_id,
            command_index=index,
            correlation_id=cause.correlation_id,
            causation_position=cause.causation_position,
            source=cause.source,
            lease_epoch=cause.lease_epoch,
            build=self._build,
        )
        return row, event

    def _refer(self, stream: str, event: object, refs: list[RefRow]) -> None:
        kind = self._catalog.kind_of(stream)
        if kind.refs is not None and (broker_order_id := kind.refs(event)) is not None:
            refs.append(RefRow(broker_order_id, stream.removeprefix(kind.prefix)))


def bodies(rows: Collection[EventRow]) -> tuple[bytes, ...]:
    return tuple(row.body.encode() for row in rows)


def _as_recorded(row: EventRow, event: object, cause: Cause, recorded_at: datetime) -> Recorded:
    name, schema_version = known_topic(row.topic)
    return Recorded(
        position=row.position,
        stream=row.stream,
        version=row.version,
        name=name,
        schema_version=schema_version,
        recorded_at=recorded_at,
        occurred_at=row.occurred_at,
        actor=cause.actor,
        command_id=row.command_id,
        command_index=row.command_index,
        correlation_id=row.correlation_id,
        causation_position=row.causation_position,
        source=row.source,
        lease_epoch=row.lease_epoch,
        build=row.build,
        event=event,
        body=row.body.encode(),
    )
