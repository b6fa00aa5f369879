"""The TCP connections under the requests, so that a fault can cut one."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Container
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Peer = tuple[str, int]

SEND_RESET: Final = struct.pack("ii", 1, 0)  # linger for zero seconds: closing sends RST


class Sockets:
    def __init__(self) -> None:
        self._transports: dict[Peer, asyncio.Transport] = {}
        self.close_door: Callable[[float], None] = lambda seconds: None
        """Stops listening for so many seconds."""

    def protocol(self) -> type[HttpToolsProtocol]:
        """The HTTP protocol of uvicorn, which also tells us about its connections."""
        transports = self._transports

        class Registered(HttpToolsProtocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[_peer(transport)] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(_peer(self.transport), None)
                super().connection_lost(exc)

        return Registered

    def cut(self, peer: Peer, *, reset: bool = False) -> None:
        """End the connection without another byte, by FIN or by RST."""
        transport = self._transports.pop(peer, None)
        if transport is None:
            return
        if reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SEND_RESET)
        transport.abort()

    def refuse(self, seconds: float, *, spare: Container[Peer]) -> None:
        """Take no new connections for a while, and end the old ones that could be used instead."""
        self.close_door(seconds)
        for peer in [peer for peer in self._transports if peer not in spare]:
            self.cut(peer)

    def freeze(self, peer: Peer, seconds: float) -> None:
        """Half-open: nothing is read, not even pings, until the time is over."""
        transport = self._transports.get(peer)
        if transport is not None:
            transport.pause_reading()
            asyncio.get_running_loop().call_later(seconds, transport.resume_reading)

    def forget(self, peer: Peer) -> None:
        """A connection that became a web socket does not say goodbye here."""
        self._transports.pop(peer, None)


def _peer(transport: asyncio.BaseTransport) -> Peer:
    host, port = transport.get_extra_info("peername")[:2]
    return host, port
