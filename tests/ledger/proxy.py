"""Stands between the ledger and Postgres, to lose a request or an answer at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Faults hit connections that have appended before, that is: the writer's."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._open: set[asyncio.StreamWriter] = set()
        self.lose_next_request = False
        self.lose_next_answer = False
        self.refuse = False
        self.faults = 0

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str, directory: Path) -> AsyncIterator[tuple[Self, str]]:
        """The proxy and the URL that leads through it."""
        given = conninfo_to_dict(url)
        proxy = cls(Path(str(given["host"])) / SOCKET)
        server = await asyncio.start_unix_server(proxy._serve, directory / SOCKET)
        try:
            yield proxy, make_conninfo("", **{**given, "host": str(directory)})
        finally:
            server.close()
            proxy.cut()
            await asyncio.sleep(0.05)

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        self._open |= {writer, up_writer}
        appends = asyncio.Event()
        await asyncio.gather(
            self._pump(reader, up_writer, appends, asked=True),
            self._pump(up_reader, writer, appends, asked=False),
        )
        self._open -= {writer, up_writer}

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        appends: asyncio.Event,
        *,
        asked: bool,
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(1 << 20):
                if b"ledger.append(" in chunk:
                    appends.set()
                if appends.is_set() and self._is_lost(asked=asked):
                    break
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()

    def _is_lost(self, *, asked: bool) -> bool:
        if not (self.lose_next_request if asked else self.lose_next_answer):
            return False
        self.lose_next_request = self.lose_next_answer = False
        self.faults += 1
        return True
