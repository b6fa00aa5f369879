"""A broker's message: first kept as it came, then interpreted, then recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.aggregates.refusals import BrokerUnavailable, LedgerUnavailable
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource
from gateway.commands.record_report import Disposition, Located, Receipt, RecordReport
from gateway.ledger.inbox import Message
from gateway.ledger.ledger import Ledger
from gateway.ports import BrokerUnreadable, Clock, Frame
from gateway.telemetry import Metrics, log

_log = log("gateway.inbox")
UNDER_WAY: Final = timedelta(seconds=5)
"""A message this young is being recorded by whoever received it."""
PAGE: Final = 500

Interpret = Callable[[bytes, ReportSource], ExecutionReport]
"""Raises ValueError when the payload names no fact."""

_LATER: Final = (LedgerUnavailable, BrokerUnreadable)
"""What keeps a message waiting; whatever else goes wrong would go wrong every time."""


@dataclass(slots=True, kw_only=True)
class Receive:
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    interpret: Interpret
    record_report: RecordReport
    _reread: bool = False
    """Whether this build has tried to read what an earlier one kept aside."""
    _settled_up_to: int = 0
    """Every message up to this one has a result, so nobody looks at them again."""

    async def __call__(self, source: ReportSource, raw: bytes, correlation_id: str) -> Receipt:
        """Keep the payload, then record what it says.

        Raises LedgerUnavailable, and BrokerUnavailable when only the broker could say whose fact it is; then
        nothing is promised, and what was kept is driven again.
        """
        now = self.clock.now()
        inbox_id = await self.ledger.inbox.keep(source.value, raw, now)
        message = Message(inbox_id=inbox_id, source=source.value, received_at=now, headers={}, raw=raw)
        receipt = await self._recorded(message, await self._located(message), correlation_id)
        if isinstance(receipt, BrokerUnreadable):
            raise BrokerUnavailable(str(receipt), retry_after=1) from receipt
        if isinstance(receipt, Exception):
            raise receipt
        return receipt

    async def frames(self, frames: Sequence[Frame]) -> None:
        """Keep what the stream told, all at once, and record it in the order it came.

        Raises LedgerUnavailable when nothing was kept. What was kept is recorded now or driven again.
        """
        source = ReportSource.STREAM.value
        arrived = [(frame.raw, frame.received_at) for frame in frames]
        ids = await self.ledger.inbox.keep_all(source, arrived)
        await self._drive(
            [
                Message(inbox_id=inbox_id, source=source, received_at=at, headers={}, raw=raw)
                for inbox_id, (raw, at) in zip(ids, arrived, strict=True)
            ]
        )

    async def drive_pending(self) -> int:
        """Record what was kept and never settled, or is to be recorded after all.

        Returns how many messages go on waiting.
        """
        remaining = await self._drive_unsettled()
        if not self._reread:
            await self._drive_readable()
        again = await self.ledger.dead_letters.asked_for(limit=PAGE)
        remaining += _waiting(await self._drive(again))
        self.metrics.dead_letters.set(await self.ledger.dead_letters.count())
        return remaining

    async def _drive_unsettled(self) -> int:
        remaining, after = 0, self._settled_up_to
        while page := await self.ledger.inbox.pending(after=after, limit=PAGE):
            after = page[-1].inbox_id
            old = [message for message in page if self.clock.now() - message.received_at >= UNDER_WAY]
            remaining += len(page) - len(old) + _waiting(await self._drive(old))
            if not remaining:
                self._settled_up_to = after
        return remaining

    async def _drive_readable(self) -> None:
        """What an earlier build kept aside and this one can read."""
        after, waiting = 0, 0
        while page := await self.ledger.dead_letters.listed(after=after, limit=PAGE):
            after = page[-1].inbox_id
            readable = [message for message in page if self._is_readable(message)]
            waiting += _waiting(await self._drive(readable))
        self._reread = not waiting

    def _is_readable(self, message: Message) -> bool:
        try:
            self.interpret(message.raw, ReportSource(message.source))
        except ValueError:
            return False
        return True

    async def _drive(self, messages: Sequence[Message]) -> list[Receipt | Exception]:
        """Interpret kept messages and record them in their order; may be repeated, also after a crash.

        An exception among the answers is one of `_LATER`, and that message alone waits.
        """
        located = await asyncio.gather(*map(self._located, messages))
        recording = [
            self._recorded(message, found, f"inbox:{message.inbox_id}")
            for message, found in zip(messages, located, strict=True)
        ]
        return list(await asyncio.gather(*recording))

    async def _located(self, message: Message) -> Located | Exception:
        try:
            return await self.record_report.locate(self.interpret(message.raw, ReportSource(message.source)))
        except Exception as error:  # noqa: BLE001 - judged where the message is settled
            return error

    async def _recorded(
        self, message: Message, found: Located | Exception, correlation_id: str
    ) -> Receipt | Exception:
        if isinstance(found, Exception):
            return await self._failed(message, found)
        try:
            return await self.record_report.record(
                found, correlation_id=correlation_id, inbox_id=message.inbox_id
            )
        except Exception as error:  # noqa: BLE001 - judged like one that could not be located
            return await self._failed(message, error)

    async def _failed(self, message: Message, error: Exception) -> Receipt | Exception:
        named = {"source": message.source, "inbox_id": message.inbox_id}
        if isinstance(error, _LATER):
            _log.warning("message waits", **named, error=str(error))
            return error
        unforeseen = None if isinstance(error, ValueError) else error
        _log.error("message kept aside", **named, error=str(error), exc_info=unforeseen)
        return await self._dead_letter(message)

    async def _dead_letter(self, message: Message) -> Receipt | Exception:
        try:
            await self.ledger.inbox.settle(message.inbox_id, Disposition.UNPARSED)
        except LedgerUnavailable as error:
            return error
        unparsed = Disposition.UNPARSED
        self.metrics.broker_facts.labels(source=message.source, disposition=unparsed.value).inc()
        return Receipt(disposition=unparsed)


def _waiting(receipts: Sequence[Receipt | Exception]) -> int:
    return sum(isinstance(receipt, Exception) for receipt in receipts)
