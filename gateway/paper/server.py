"""The server under the exchange; a fault can close its door for a while."""

from __future__ import annotations

import asyncio
import socket

import uvicorn


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._opening: asyncio.Task[None] | None = None

    def close_door(self, seconds: float) -> None:
        """Refuse connections until the time is over; those that stand are not concerned."""
        if self._opening is None or self._opening.done():
            address = self.servers[0].sockets[0].getsockname()[:2]
            for door in self.servers:
                door.close()
            self._opening = asyncio.create_task(self._open_again(address, seconds))

    async def _open_again(self, address: tuple[str, int], seconds: float) -> None:
        await asyncio.sleep(seconds)
        listener = socket.create_server(address)
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(self._protocol, sock=listener, backlog=self.config.backlog)]

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
