"""Wakes followers: rung by the writer in this process, by NOTIFY from others, and never relied upon."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

import psycopg

from gateway.ledger.connection import connect

log = logging.getLogger(__name__)

CHANNEL: Final = "stored_events"
RECONNECT_AFTER: Final = 0.5


class Bell:
    """Take `ticket` before looking; `wait` returns if the bell rang since, or after so many seconds."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def ticket(self) -> asyncio.Event:
        return self._event

    def ring(self) -> None:
        rung, self._event = self._event, asyncio.Event()
        rung.set()

    async def wait(self, ticket: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ticket.wait()


async def listen(conninfo: str, bell: Bell) -> None:
    """Ring for every append of any process. A lost connection is opened again, for ever."""
    while True:
        try:
            async with await connect(conninfo) as connection:
                await connection.execute(f"listen {CHANNEL}")
                bell.ring()
                async for _ in connection.notifies():
                    bell.ring()
        except (psycopg.Error, OSError) as error:
            log.warning("ledger.listen_lost", extra={"error": str(error)})
        await asyncio.sleep(RECONNECT_AFTER)
