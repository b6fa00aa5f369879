"""The serial writer: queue, batch, catch up, decide, insert, commit, answer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.aggregates.vocabulary import SYSTEM
from gateway.ledger.bell import Bell
from gateway.ledger.cache import Cache, Draft, Entry
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import CONFLICT, TOO_MUCH, UNAVAILABLE, away
from gateway.ledger.decision import Batch, Change, Command, Decide, Decision, States, bodies
from gateway.ledger.envelope import Cause, Row, recorded
from gateway.ledger.store import PAGE, Store

log = logging.getLogger(__name__)

Kept = Callable[[list[tuple[str, Entry]]], None]
"""Told of every state the writer has just made durable."""

LARGEST_BATCH: Final = 512
MISSES_BEFORE_HOLDING: Final = 2
PATIENCE: Final = 3.0
"""Seconds a batch keeps trying while the database refuses or cannot be reached."""
NEVER_RECORDED: Final = datetime.min.replace(tzinfo=UTC)


class Writer:
    """Every decision of this process, one after the other, on the newest state there is."""

    def __init__(
        self,
        store: Store,
        cache: Cache,
        catalog: Catalog,
        *,
        bell: Bell,
        build: str,
        kept: Kept,
        room: int,
        decided_again: Callable[[], object],
    ) -> None:
        self._store = store
        self._cache = cache
        self._catalog = catalog
        self._bell = bell
        self._build = build
        self._kept = kept
        self._room = room
        self._decided_again = decided_again
        self._waiting: deque[Command] = deque()
        self._under_way: list[Command] = []
        self._wake = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Catch up with the log and begin. Raises LedgerUnavailable."""
        try:
            await self._store.open()
            await self._catch_up()
        except UNAVAILABLE as error:
            raise away(error) from error
        self._task = asyncio.create_task(self._run(), name="ledger-writer")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Finish the batch under way; what still waits is told that the ledger is unavailable."""
        self._closed = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task})
        self._fail(self._drain(), LedgerUnavailable("the ledger is closing"))
        await self._store.close()

    async def change(
        self,
        streams: Collection[str],
        decide: Decide,
        cause: Cause,
        *,
        history: Collection[str] = (),
        new: Collection[str] = (),
    ) -> Change:
        """Decide on the newest state of `streams` and record what was decided, durably, before answering.

        `decide` is pure and may run several times. `history` are streams it wants every event of, `new`
        those that most likely have no event yet. Raises what `decide` raises, and LedgerUnavailable.
        """
        if self._closed or len(self._waiting) >= self._room:
            raise LedgerUnavailable("the ledger is closing" if self._closed else "the writer's queue is full")
        command = Command(
            decide=decide,
            cause=cause,
            streams=frozenset(streams) | frozenset(history) | frozenset(new),
            history=frozenset(history),
            new=frozenset(new) - frozenset(streams) - frozenset(history),
            answer=asyncio.get_running_loop().create_future(),
        )
        for stream in command.streams:
            self._catalog.kind_of(stream)
        self._waiting.append(command)
        self._wake.set()
        return await command.answer

    async def look(self, streams: Collection[str], *, history: Collection[str] = ()) -> States:
        """The newest states, and nothing recorded. Raises LedgerUnavailable."""
        cause = Cause(
            command_id=uuid4().hex,
            actor=SYSTEM,
            correlation_id="",
            source="system",
            occurred_at=NEVER_RECORDED,
        )
        return (await self.change(streams, _nothing, cause, history=history)).states

    async def _run(self) -> None:
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._closed:
                self._under_way = self._take()
                await self._settle(self._under_way)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Should the writer ever end of itself, nobody is left waiting for it."""
        self._closed = True
        if not task.cancelled() and task.exception() is not None:
            log.critical("ledger.writer_ended", exc_info=task.exception())
        self._fail([*self._under_way, *self._drain()], LedgerUnavailable("the writer has ended"))

    def _take(self) -> list[Command]:
        taken: list[Command] = []
        while self._waiting and len(taken) < LARGEST_BATCH:
            command = self._waiting.popleft()
            if not command.answer.done():
                taken.append(command)
        return taken

    async def _settle(self, commands: list[Command]) -> None:
        """Answer every command of a batch, whatever happens."""
        try:
            await self._persist(commands)
        except LedgerUnavailable as error:
            log.warning("ledger.unavailable", extra={"error": str(error), "commands": len(commands)})
            self._fail([*commands, *self._drain()], error)
        except Exception as error:  # noqa: BLE001 - the writer must survive what one batch brings
            await self._store.recover(error)
            await self._isolate(commands, error)

    async def _isolate(self, commands: list[Command], error: Exception) -> None:
        """One command spoilt the batch: run them one by one, so that it spoils only its own."""
        unanswered = [command for command in commands if not command.answer.done()]
        if len(unanswered) <= 1:
            log.error("ledger.command_failed", exc_info=error)
            self._fail(unanswered, error)
            return
        for command in unanswered:
            await self._settle([command])

    async def _persist(self, commands: list[Command]) -> None:
        """Try until all are answered. Raises LedgerUnavailable when patience is at an end."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + PATIENCE
        left, misses, failures, in_conflict = commands, 0, 0, False
        while left:
            before = len(left)
            try:
                await self._store.open()
                if in_conflict:
                    left, in_conflict = await self._resolve_conflict(left), False
                else:
                    left = await self._attempt(left, hold=misses >= MISSES_BEFORE_HOLDING)
                misses = 0 if len(left) < before else misses + 1
            except TOO_MUCH:
                raise
            except (*CONFLICT, *UNAVAILABLE) as error:
                await self._store.recover(error)
                in_conflict = isinstance(error, CONFLICT)
                if loop.time() > give_up_at:
                    raise away(error) from error
                failures += 1
                await asyncio.sleep(random.uniform(0.5, 1) * min(0.02 * failures, 0.2))  # noqa: S311 - jitter

    async def _attempt(self, commands: list[Command], *, hold: bool) -> list[Command]:
        """Decide and append once; returns the commands that are still to be answered."""
        if hold:
            await self._store.hold_lock()
            await self._catch_up()
        await self._load(commands)
        batch = self._decide(commands)
        try:
            appended = await self._store.append(batch)
            if hold:
                await self._store.commit()
        except UNAVAILABLE:
            for decided in batch.decided:
                decided.command.unconfirmed.append(bodies(decided.rows))
            raise
        if not appended.inserted:
            return await self._answer_missed(commands, batch, appended.missed)
        self._answer(batch, appended.recorded_at)
        return batch.deferred

    def _decide(self, commands: Sequence[Command]) -> Batch:
        assumed_absent = {
            stream for command in commands for stream in command.new if self._cache.get(stream) is None
        }
        batch = Batch(Draft(self._cache, self._catalog, assumed_absent), self._catalog, self._build)
        for command in commands:
            batch.decide(command)
        return batch

    def _answer(self, batch: Batch, recorded_at: datetime | None) -> None:
        self._cache.position = batch.position
        self._kept(batch.keep())
        for command, change in batch.changes(recorded_at):
            command.succeed(change)
        for command, refusal in batch.refused:
            command.fail(refusal)
        if batch.position > batch.head:
            self._bell.ring()

    async def _answer_missed(self, commands: list[Command], batch: Batch, missed: list[Row]) -> list[Command]:
        """Fold what others wrote; a command found among it has been recorded already."""
        if batch.position > batch.head:
            self._decided_again()
        self._cache.fold(missed, batch.assumed_absent)
        self._bell.ring()
        return await self._answer_recorded(commands, {row[12] for row in missed})

    async def _answer_recorded(self, commands: list[Command], command_ids: set[str]) -> list[Command]:
        """Answer those whose command id is in the log; returns the others."""
        found = [command for command in commands if command.cause.command_id in command_ids]
        if not found:
            return commands
        await self._catch_up()
        await self._load(found)
        rows = await self._store.of_commands([command.cause.command_id for command in found])
        for command in found:
            own = [row for row in rows if row[12] == command.cause.command_id]
            command.succeed(self._recorded_change(command, own))
        return [command for command in commands if command not in found]

    def _recorded_change(self, command: Command, rows: list[Row]) -> Change:
        draft = Draft(self._cache, self._catalog, command.new)
        entries = {stream: draft.entry(stream) for stream in command.streams}
        return Change(
            events=tuple(recorded(row, self._catalog.decode) for row in rows),
            position=rows[-1][0],
            states=command.states(entries, draft),
            replayed=tuple(row[4] for row in rows) not in command.unconfirmed,
        )

    async def _resolve_conflict(self, commands: list[Command]) -> list[Command]:
        """A key was taken: answer what was recorded before, else forget what was believed wrongly."""
        self._decided_again()
        await self._catch_up()
        rows = await self._store.of_commands([command.cause.command_id for command in commands])
        left = await self._answer_recorded(commands, {row[12] for row in rows})
        if len(left) == len(commands):
            for stream in {stream for command in commands for stream in command.streams}:
                self._cache.forget(stream)
        return left

    async def _catch_up(self) -> None:
        page_is_full = True
        while page_is_full:
            rows = await self._store.since(self._cache.position)
            self._cache.fold(rows)
            page_is_full = len(rows) == PAGE
        await self._wake_dormant()

    async def _wake_dormant(self) -> None:
        if dormant := list(self._cache.dormant):
            for stream, entry in (await self._store.load(dormant)).items():
                self._cache.put(stream, entry)

    async def _load(self, commands: Sequence[Command]) -> None:
        """Bring in what the commands ask for and the cache does not hold."""
        wanted = {stream for command in commands for stream in command.streams - command.new}
        missing = {stream for stream in wanted if self._cache.get(stream) is None} | self._cache.dormant
        if missing:
            for stream, entry in (await self._store.load(missing)).items():
                self._cache.put(stream, entry)
        for command in commands:
            for stream in command.history:
                await self._load_history(command, stream)

    async def _load_history(self, command: Command, stream: str) -> None:
        entry = self._cache.get(stream)
        known = command.histories.get(stream, ())
        if entry is not None and len(known) < entry.version:
            after = known[-1].version if known else 0
            known += await self._store.history(stream, after)
        command.histories[stream] = known

    def _drain(self) -> list[Command]:
        drained = list(self._waiting)
        self._waiting.clear()
        return drained

    def _fail(self, commands: Sequence[Command], error: Exception) -> None:
        for command in commands:
            command.fail(error)


def _nothing(states: States) -> Decision:
    return Decision()
