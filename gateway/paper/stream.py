"""The `trade_updates` web socket, and the faults that strike it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Final
from uuid import uuid4

import msgspec
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.paper.clock import wall
from gateway.paper.faults import Faults, Params
from gateway.paper.keys import Keys
from gateway.paper.notation import plain
from gateway.paper.rules import Rules
from gateway.paper.sockets import Peer, Sockets
from gateway.paper.updates import Update, ulid

KEPT: Final = 20_000
REORDER_PATIENCE_SECONDS: Final = 2.0
ABNORMAL: Final = 1006  # never on the wire: the socket just ends

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Connection:
    """One socket: what waits to be sent on it, and whether it is muted."""

    id: str
    peer: Peer
    outbox: asyncio.Queue[bytes | int] = field(default_factory=asyncio.Queue)
    account: str = ""
    listening: bool = False
    muted_until: datetime | None = None
    held: list[bytes] | None = None
    sent: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "account": self.account,
            "listening": self.listening,
            "muted": self.is_muted,
            "sent": self.sent,
        }

    @property
    def is_muted(self) -> bool:
        return self.muted_until is not None and wall() < self.muted_until

    def push(self, frame: bytes) -> str:
        """What becomes of the frame: `sent`, `dropped` or `delayed`."""
        if not self.listening:
            return "dropped"
        if self.is_muted:
            if self.held is None:
                return "dropped"
            self.held.append(frame)
            return "delayed"
        self.outbox.put_nowait(frame)
        self.sent += 1
        return "sent"

    def mute(self, seconds: float, *, backlog: str) -> None:
        self.muted_until = wall() + timedelta(seconds=seconds)
        self.held = [] if backlog == "hold" else None
        asyncio.get_running_loop().call_later(seconds, self._unmute)

    def _unmute(self) -> None:
        for frame in self.held or []:
            self.outbox.put_nowait(frame)
            self.sent += 1
        self.held = None

    def drop(self, code: int) -> None:
        self.listening = False
        self.outbox.put_nowait(code)


class Hub:
    """All sockets, and everything that was ever told on them."""

    def __init__(self, faults: Callable[[], Faults], rules: Callable[[], Rules], sockets: Sockets) -> None:
        self._faults, self._rules, self._sockets = faults, rules, sockets
        self.connections: dict[str, Connection] = {}
        self.events: deque[dict[str, object]] = deque(maxlen=KEPT)
        self._made = self._published = 0
        self._delayed = 0
        self._window: list[tuple[Update, bytes]] = []
        self._window_size = 0
        self._window_mode = ""
        self._window_closes: asyncio.TimerHandle | None = None

    # Out.

    def publish(self, update: Update) -> None:
        take = self._faults().take
        update = self._distorted(update)
        frame = _frame(update.message)
        if params := take("ws.malformed", **update.about):
            self._emit(update, _poison(params.kind, update))
        if params := take("ws.unknown_event", **update.about):
            self._emit(update, _frame({**update.message, "event": params.event, **params.fields}))
        if params := take("ws.drop", **update.about):
            self.drop_all(params.code)
        if params := take("ws.freeze", **update.about):
            for connection in self.connections.values():
                self.freeze(connection, params.seconds)
        if params := take("ws.mute", **update.about):
            for connection in self.connections.values():
                connection.mute(params.seconds, backlog=params.backlog)
        if take("ws.lose", **update.about):
            self._log(update, {"*": "lost"})
            return
        if self._reordered(update, frame):
            return
        if params := take("ws.delay", **update.about):
            self._later(params.seconds, partial(self._emit, update, frame))
            return
        self._emit(update, frame)
        if params := take("ws.duplicate", **update.about):
            self._repeat(update, frame, params)

    def _distorted(self, update: Update) -> Update:
        """The message with what faults change in it."""
        changes: dict[str, object] = {}
        if "position_qty" in update.message:
            if lie := self._faults().take("ws.position_lie", **update.about):
                changes["position_qty"] = plain(Decimal(str(update.message["position_qty"])) + lie.delta)
            if self._faults().take("fill.id_mismatch", **update.about):
                changes["execution_id"] = str(uuid4())
        return replace(update, message=update.message | changes) if changes else update

    def _repeat(self, update: Update, frame: bytes, params: Params) -> None:
        for number in range(1, params.copies + 1):
            copy = frame
            if params.new_event_id:
                copy = _frame({**update.message, "event_id": ulid(wall(), number)})
            self._later(params.delay_s, partial(self._emit, update, copy))

    def _reordered(self, update: Update, frame: bytes) -> bool:
        """Hold the frame back while a window is open; a full window goes out in another order."""
        if not self._window:
            params = self._faults().take("ws.reorder", **update.about)
            if params is None:
                return False
            self._window_size, self._window_mode = params.window, params.mode
            loop = asyncio.get_running_loop()
            self._window_closes = loop.call_later(REORDER_PATIENCE_SECONDS, self._flush_window)
        self._window.append((update, frame))
        if len(self._window) >= self._window_size:
            self._flush_window()
        return True

    def _flush_window(self) -> None:
        window, self._window = self._window, []
        if self._window_closes:
            self._window_closes.cancel()
        if self._window_mode == "new_after_fill":
            window.sort(key=lambda held: held[0].event == "new")
        else:
            window.reverse()
        for update, frame in window:
            self._emit(update, frame)

    def _emit(self, update: Update, frame: bytes) -> None:
        heard_by = [c for c in self.connections.values() if c.account == update.order.account]
        self._log(update, {connection.id: connection.push(frame) for connection in heard_by})

    def _log(self, update: Update, outcome: dict[str, str]) -> None:
        self._published += 1
        self.events.append(
            {"number": self._published, "delivery": outcome, "event": update.event, "data": update.message}
        )

    def events_after(self, number: int) -> list[dict[str, object]]:
        return list(islice(self.events, max(number - self._published + len(self.events), 0), None))

    def clear(self) -> None:
        """Forget what was told, and end the connections that heard it."""
        self.drop_all(1012)
        self.events.clear()
        self._published = 0

    @property
    def is_quiet(self) -> bool:
        """Whether every frame has left that is going to leave."""
        sent = all(connection.outbox.empty() for connection in self.connections.values())
        return sent and not self._delayed and not self._window

    def freeze(self, connection: Connection, seconds: float) -> None:
        connection.mute(seconds, backlog="drop")
        self._sockets.freeze(connection.peer, seconds)

    def drop_all(self, code: int) -> None:
        for connection in self.connections.values():
            connection.drop(code)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def run() -> None:
            self._delayed -= 1
            work()

        self._delayed += 1
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, run)
        else:
            run()

    # In.

    async def serve(self, socket: WebSocket, keys: Keys) -> None:
        """One connection from its upgrade to its end."""
        faults = self._faults()
        if refused := faults.take("ws.upgrade"):
            status = refused.status if isinstance(refused.status, int) else 429
            await socket.send_denial_response(Response(status_code=status))
            return
        await socket.accept()
        self._made += 1
        host, port = socket.client or ("", 0)
        connection = Connection(f"connection-{self._made}", (host, port))
        self.connections[connection.id] = connection
        sender = asyncio.create_task(self._send(socket, connection))
        try:
            while True:
                self._hear(connection, await _receive(socket), keys)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client left, or a fault closed the socket under the reader
        finally:
            sender.cancel()
            self.connections.pop(connection.id, None)
            self._sockets.forget(connection.peer)

    async def _send(self, socket: WebSocket, connection: Connection) -> None:
        while True:
            item = await connection.outbox.get()
            if isinstance(item, int):
                await self._close(socket, connection, item)
                return
            if self._rules().frame == "text":
                await socket.send_text(item.decode())
            else:
                await socket.send_bytes(item)

    async def _close(self, socket: WebSocket, connection: Connection, code: int) -> None:
        if code == ABNORMAL:
            self._sockets.cut(connection.peer)
        else:
            await socket.close(code)

    def _hear(self, connection: Connection, text: str, keys: Keys) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            return
        match message:
            case {"action": "authenticate", "data": {"key_id": str(key_id), "secret_key": str(secret)}}:
                self._authenticate(connection, keys.account(key_id, secret))
            case {"action": "auth", "key": str(key_id), "secret": str(secret)}:
                self._authenticate(connection, keys.account(key_id, secret))
            case {"action": "listen", "data": {"streams": list(streams)}}:
                self._listen(connection, streams)

    def _authenticate(self, connection: Connection, account: str | None) -> None:
        fault = self._faults().take("ws.auth")
        mode = fault.mode if fault else ""
        if mode == "hang":
            return
        if mode == "event_first":
            connection.outbox.put_nowait(_frame({"event": "new"}))
        connection.account = account or ""
        refused = account is None or mode == "unauthorized"
        _control(connection, "authorization", status="unauthorized" if refused else "authorized")

    def _listen(self, connection: Connection, streams: list[object]) -> None:
        if not connection.account:
            _control(connection, "authorization", status="unauthorized", action="listen")
            return
        known = [name for name in streams if name == "trade_updates"]
        connection.listening = bool(known)
        connection.outbox.put_nowait(_encode({"stream": "listening", "data": {"streams": known}}))
        if known and (replay := self._faults().take("ws.replay")):
            for event in list(self.events)[-replay.last :]:
                connection.push(_encode({"stream": "trade_updates", "data": event["data"]}))


def _control(connection: Connection, stream: str, *, status: str, action: str = "authenticate") -> None:
    connection.outbox.put_nowait(_encode({"stream": stream, "data": {"status": status, "action": action}}))


async def _receive(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text: str | None = message.get("text")
    return text if text is not None else bytes(message["bytes"]).decode("utf-8", "replace")


def _frame(message: dict[str, object]) -> bytes:
    return _encode({"stream": "trade_updates", "data": message})


def _poison(kind: str, update: Update) -> bytes:
    whole = _frame(update.message)
    without = {name: value for name, value in update.message.items() if name not in {"order", "timestamp"}}
    frames = {
        "not_json": b"not json",
        "truncated": whole[: len(whole) // 2],
        "array": b"[]",
        "null": b"null",
        "no_order": _frame(without),
        "no_timestamp": _frame({**without, "order": update.message["order"]}),
        "empty_execution_id": _frame({**update.message, "execution_id": ""}),
    }
    return frames[kind]
