"""Everything told on the stream, and the faults that strike between telling and hearing."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

import msgspec

from gateway.paper.clock import wall
from gateway.paper.connection import Connection
from gateway.paper.distortions import distorted_message
from gateway.paper.faults import Faults, Params, Poison
from gateway.paper.notation import plain
from gateway.paper.sockets import Sockets
from gateway.paper.updates import Update, ulid

KEPT: Final = 20_000
REORDER_PATIENCE_SECONDS: Final = 2.0

encode = msgspec.json.Encoder().encode


class Hub:
    """All sockets, and everything that was ever told on them."""

    def __init__(self, faults: Callable[[], Faults], sockets: Sockets) -> None:
        self._faults, self._sockets = faults, sockets
        self.connections: dict[str, Connection] = {}
        self.events: deque[dict[str, object]] = deque(maxlen=KEPT)
        self._published = 0
        self._delayed = 0
        self._world = 0
        self._lost_at = -math.inf
        self._answer_gap_s = 0.0
        self._window: list[tuple[str, Callable[[], None]]] = []
        self._window_size = 0
        self._window_mode = ""
        self._window_closes: asyncio.TimerHandle | None = None

    def publish(self, update: Update) -> None:
        """Tell everybody concerned, unless a fault has other plans."""
        update = self._distorted(update)
        if self._answer_gap_s:
            self._later(self._answer_gap_s, partial(self._tell, update))
        else:
            self._tell(update)

    @contextmanager
    def after_the_answer(self, seconds: float) -> Iterator[None]:
        """What is told in here leaves that much later; after the answer to the request, that is."""
        self._answer_gap_s = seconds
        try:
            yield
        finally:
            self._answer_gap_s = 0

    def _tell(self, update: Update) -> None:
        self._precede(update)
        self._disturb(update)
        take, emit = self._faults().take, partial(self._emit, update, frame_of(update.message))
        if take("ws.lose", **update.about):
            self._log(update, {"*": "lost"})
        elif self._reordered(update, emit):
            return
        elif late := take("ws.delay", **update.about):
            self._later(late.seconds + self._draw.uniform(0, late.jitter_s), emit)
        else:
            emit()
            if again := take("ws.duplicate", **update.about):
                self._repeat(update, again)

    def _precede(self, update: Update) -> None:
        """Frames nobody should have to expect, before the real one."""
        if params := self._faults().take("ws.malformed", **update.about):
            self._emit(update, _poison(params.kind, update))
        if params := self._faults().take("ws.unknown_event", **update.about):
            self._emit(update, frame_of({**update.message, "event": params.event, **params.fields}))

    def _disturb(self, update: Update) -> None:
        """What befalls the connections before they hear of it."""
        if params := self._faults().take("ws.drop", **update.about):
            self.drop_all(params.code)
        if params := self._faults().take("ws.freeze", **update.about):
            for connection in self.connections.values():
                self.freeze(connection, params.seconds)
        if params := self._faults().take("ws.mute", **update.about):
            for connection in self.connections.values():
                connection.mute(params.seconds, backlog=params.backlog)

    def _distorted(self, update: Update) -> Update:
        """The message with what faults change in it."""
        changes: dict[str, object] = {}
        if "position_qty" in update.message:
            if lie := self._faults().take("ws.position_lie", **update.about):
                changes["position_qty"] = plain(Decimal(str(update.message["position_qty"])) + lie.delta)
            if self._faults().take("fill.id_mismatch", **update.about):
                changes["execution_id"] = str(UUID(int=self._draw.getrandbits(128), version=4))
        if padding := self._faults().take("ws.big_frame", **update.about):
            changes["padding"] = "x" * padding.bytes
        message = distorted_message(self._faults(), update.message | changes, update.about)
        return replace(update, message=message)

    @property
    def _draw(self) -> random.Random:
        return self._faults().draw

    def _repeat(self, update: Update, params: Params) -> None:
        for number in range(1, params.copies + 1):
            fresh = {"event_id": ulid(wall(), number)} if params.new_event_id else {}
            copy = frame_of({**update.message, **fresh})
            self._later(params.delay_s, partial(self._emit, update, copy))

    def _reordered(self, update: Update, emit: Callable[[], None]) -> bool:
        """Hold the frame back while a window is open; a full window goes out in another order."""
        if not self._window:
            params = self._faults().take("ws.reorder", **update.about)
            if params is None:
                return False
            self._window_size, self._window_mode = params.window, params.mode
            loop = asyncio.get_running_loop()
            self._window_closes = loop.call_later(REORDER_PATIENCE_SECONDS, self._flush_window)
        self._window.append((update.event, emit))
        if len(self._window) >= self._window_size:
            self._flush_window()
        return True

    def _flush_window(self) -> None:
        window, self._window = self._window, []
        if self._window_closes:
            self._window_closes.cancel()
        if self._window_mode == "new_after_fill":
            window.sort(key=lambda held: held[0] == "new")
        elif self._window_mode == "shuffle":
            self._draw.shuffle(window)
        else:
            window.reverse()
        for _, emit in window:
            emit()

    def replay(self, connection: Connection, last: int) -> None:
        """Send the last events again, as if they were new."""
        told = [event for event in self.events if event["account"] == connection.account]
        for event in told[-last:]:
            connection.push(encode({"stream": "trade_updates", "data": event["data"]}))

    def _emit(self, update: Update, frame: bytes) -> None:
        heard_by = [c for c in self.connections.values() if c.account == update.order.account]
        self._log(update, {connection.id: connection.push(frame) for connection in heard_by})

    def _log(self, update: Update, outcome: dict[str, str]) -> None:
        self._published += 1
        event: dict[str, object] = {
            "number": self._published,
            "account": update.order.account,
            "event": update.event,
            "delivery": outcome,
            "data": update.message,
        }
        self.events.append(event)

    def events_after(self, number: int) -> list[dict[str, object]]:
        return list(islice(self.events, max(number - self._published + len(self.events), 0), None))

    def clear(self) -> None:
        """Forget what was told and what is still held back, and end the connections that heard it."""
        self.drop_all(1012)
        self.events.clear()
        self._published = 0
        self._world += 1
        self._lost_at = -math.inf
        self._window = []
        if self._window_closes:
            self._window_closes.cancel()

    @property
    def is_quiet(self) -> bool:
        """Whether every frame has left that is going to leave."""
        sent = all(connection.outbox.empty() for connection in self.connections.values())
        return sent and not self._delayed and not self._window

    def leave(self, connection: Connection) -> None:
        self.connections.pop(connection.id, None)
        if not connection.said_goodbye:
            self._lost_at = time.monotonic()

    @property
    def seconds_since_loss(self) -> float:
        """Since a connection last ended without a closing frame."""
        return time.monotonic() - self._lost_at

    def freeze(self, connection: Connection, seconds: float) -> None:
        connection.mute(seconds, backlog="drop")
        self._sockets.freeze(connection.peer, seconds)

    def drop_all(self, code: int) -> None:
        for connection in self.connections.values():
            connection.drop(code)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        world = self._world

        def run() -> None:
            self._delayed -= 1
            if world == self._world:
                work()

        self._delayed += 1
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, run)
        else:
            run()


def frame_of(message: dict[str, object]) -> bytes:
    return encode({"stream": "trade_updates", "data": message})


def _poison(kind: Poison, update: Update) -> bytes:
    whole = frame_of(update.message)
    without = {name: value for name, value in update.message.items() if name not in {"order", "timestamp"}}
    frames: dict[Poison, bytes] = {
        "not_json": b"not json",
        "truncated": whole[: len(whole) // 2],
        "array": b"[]",
        "null": b"null",
        "no_order": frame_of(without),
        "no_timestamp": frame_of({**without, "order": update.message["order"]}),
        "empty_execution_id": frame_of({**update.message, "execution_id": ""}),
    }
    return frames[kind]
