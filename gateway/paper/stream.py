"""The `trade_updates` web socket: its handshake, and the sending of frames."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.paper.connection import Connection
from gateway.paper.faults import Params
from gateway.paper.house import House
from gateway.paper.hub import encode, frame_of

ABNORMAL: Final = 1006  # never on the wire: the socket just ends
_GOODBYES: Final = frozenset({1000, 1001})


class Stream:
    def __init__(self, house: House) -> None:
        self._house = house
        self._made = 0

    async def serve(self, socket: WebSocket) -> None:
        """One connection from its upgrade to its end."""
        faults = self._house.kernel.faults
        if refused := faults.take("ws.upgrade"):
            status = refused.status if isinstance(refused.status, int) else 429
            await socket.send_denial_response(Response(status_code=status))
            return
        if (single := faults.take("ws.one_connection")) and not self._makes_room(single):
            await socket.send_denial_response(Response(status_code=429))
            return
        await socket.accept()
        self._made += 1
        host, port = socket.client or ("", 0)
        connection = Connection(f"connection-{self._made}", (host, port))
        self._house.hub.connections[connection.id] = connection
        sender = asyncio.create_task(self._send(socket, connection))
        try:
            while True:
                self._hear(connection, await _receive(socket))
        except WebSocketDisconnect as left:
            connection.said_goodbye = left.code in _GOODBYES
        except RuntimeError:
            pass  # a fault closed the socket under the reader
        finally:
            sender.cancel()
            self._house.hub.leave(connection)
            self._house.sockets.forget(connection.peer)

    def _makes_room(self, single: Params) -> bool:
        """Whether a key that may have one connection gets another."""
        hub = self._house.hub
        if single.policy == "refuse_new":
            return not hub.connections and hub.seconds_since_loss > single.reap_s
        hub.drop_all(1000)
        return True

    async def _send(self, socket: WebSocket, connection: Connection) -> None:
        while True:
            item = await connection.outbox.get()
            if isinstance(item, int):
                await self._close(socket, connection, item)
                return
            if self._house.kernel.rules.frame == "text":
                await socket.send_text(item.decode())
            else:
                await socket.send_bytes(item)

    async def _close(self, socket: WebSocket, connection: Connection, code: int) -> None:
        if code == ABNORMAL:
            self._house.sockets.cut(connection.peer)
        else:
            await socket.close(code)

    def _hear(self, connection: Connection, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        match message:
            case {"action": "authenticate", "data": {"key_id": str(key_id), "secret_key": str(secret)}}:
                self._authenticate(connection, self._house.keys.account(key_id, secret))
            case {"action": "auth", "key": str(key_id), "secret": str(secret)}:
                self._authenticate(connection, self._house.keys.account(key_id, secret))
            case {"action": "listen", "data": {"streams": list(streams)}}:
                self._listen(connection, streams)

    def _authenticate(self, connection: Connection, account: str | None) -> None:
        faults = self._house.kernel.faults
        fault = faults.take("ws.auth")
        mode = fault.mode if fault else ""
        if mode == "hang":
            return
        if mode == "event_first":
            connection.outbox.put_nowait(frame_of({"event": "new"}))
        connection.account = account or ""
        barred = mode == "unauthorized" or faults.take("http.auth", path="/stream") is not None
        status = "unauthorized" if account is None or barred else "authorized"
        connection.outbox.put_nowait(_authorization(status, "authenticate"))

    def _listen(self, connection: Connection, streams: list[object]) -> None:
        if not connection.account:
            connection.outbox.put_nowait(_authorization("unauthorized", "listen"))
            return
        known = [name for name in streams if name == "trade_updates"]
        connection.listening = bool(known)
        connection.outbox.put_nowait(encode({"stream": "listening", "data": {"streams": known}}))
        if known and (replay := self._house.kernel.faults.take("ws.replay")):
            self._house.hub.replay(connection, replay.last)


def _authorization(status: str, action: str) -> bytes:
    return encode({"stream": "authorization", "data": {"status": status, "action": action}})


async def _receive(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str | None = message.get("text")
    return text if text is not None else bytes(message["bytes"]).decode("utf-8", "replace")
