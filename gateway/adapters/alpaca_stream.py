"""Alpaca's trade updates: every frame kept as it came, silence noticed, every gap announced.

alpaca-py's stream reconnects and keeps alive; what it drops, hides or waits for without end is mended here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Final

from alpaca.common.utils import get_default_user_agent
from alpaca.trading.stream import TradingStream
from websockets.legacy.client import Connect, WebSocketClientProtocol

from gateway.adapters.alpaca_json import read_json
from gateway.adapters.background import Background
from gateway.ports import Clock, Frame

_log = logging.getLogger(__name__)

OnFrames = Callable[[Sequence[Frame]], Awaitable[None]]
OnConnected = Callable[[], Coroutine[Any, Any, None]]

_HANDSHAKE: Final = ("authorization", "listening")
_START_SECONDS: Final = 10.0
_STEADY_SECONDS: Final = 30.0
_PACE_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_QUEUE: Final = 2_000
"""Frames that wait to be kept. When there are more, the socket is left unread and the broker has to wait."""
_TOGETHER: Final = 500
"""Frames kept at once, at most."""
_SOCKET: Final[dict[str, Any]] = {
    "ping_interval": 5,
    "ping_timeout": 5,
    "close_timeout": 1,
    "max_queue": 4096,
    "max_size": 8 * 1024 * 1024,
}


class StreamRefused(Exception):
    """The broker does not take our keys; connecting again would not help."""


class _ConnectHere(Connect):
    """Goes where it was told and nowhere else: a redirect is an error."""

    MAX_REDIRECTS_ALLOWED = 1


class _Tapped:
    """A socket that shows every frame to `tap` before anybody tries to understand it.

    The SDK waits a few seconds for a frame and then asks again: one that finds no room is held till then.
    """

    def __init__(
        self, socket: WebSocketClientProtocol, tap: Callable[[str | bytes], Awaitable[None]]
    ) -> None:
        self._socket = socket
        self._tap = tap
        self._held: str | bytes | None = None

    async def send(self, message: str) -> None:
        await self._socket.send(message)

    async def recv(self) -> str | bytes:
        if self._held is None:
            self._held = await self._socket.recv()
        frame = self._held
        await self._tap(frame)
        self._held = None
        return frame

    async def close(self) -> None:
        await self._socket.close()


class _Stream(TradingStream):
    """The SDK's stream with the hooks it lacks."""

    _ws: Any
    _stop_stream_event: asyncio.Event

    def __init__(self, key: str, secret: str, url: str, owner: TradeUpdates) -> None:
        super().__init__(key, secret, raw_data=True, url_override=url, websocket_params=_SOCKET)
        self._owner = owner
        self._steady: asyncio.TimerHandle | None = None
        self._next_attempt = 0.0
        self.refused = False

    async def read(self) -> None:
        """Connect, read and connect again until stopped or refused."""
        self.refused = False
        await self._run_forever()  # type: ignore[no-untyped-call]

    async def _start_ws(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_attempt - loop.time())
        self._next_attempt = loop.time() + _PACE_SECONDS
        await asyncio.wait_for(super()._start_ws(), _START_SECONDS)  # type: ignore[no-untyped-call]

    async def _connect(self) -> None:
        headers = {"User-Agent": get_default_user_agent()}
        socket = await _ConnectHere(self._endpoint, extra_headers=headers, **_SOCKET)
        self._ws = _Tapped(socket, self._tap)

    async def _tap(self, frame: str | bytes) -> None:
        raw = frame.encode() if isinstance(frame, str) else frame
        message = read_json(raw)
        if not isinstance(message, dict) or message.get("stream") not in _HANDSHAKE:
            await self._owner.take(raw)
        elif isinstance(data := message.get("data"), dict) and data.get("status") == "unauthorized":
            self.refused, self._should_run = True, False
            self._stop_stream_event.set()

    async def _dispatch(self, msg: dict[str, Any]) -> None:
        if msg.get("stream") == "listening":
            loop = asyncio.get_running_loop()
            self._steady = loop.call_later(_STEADY_SECONDS, self._prove_steady)
            self._owner.listening()

    def _prove_steady(self) -> None:
        """A connection that lasted starts the back-off anew, even when the account was quiet."""
        self._data_received = True

    async def hang_up(self) -> None:
        """Close the socket; the reader notices and connects again, unless it was told to stop."""
        if self._ws is not None:
            await self._ws.close()

    async def close(self) -> None:
        if self._steady is not None:
            self._steady.cancel()
        self._owner.disconnected()
        await super().close()


class TradeUpdates:
    """The account's one stream of trade updates.

    Every frame goes to `on_frames` in the order it came, before it is interpreted, with those that came
    meanwhile; `on_connected` runs after every acknowledged subscription, since whatever was sent before it is
    lost and has to be fetched.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        url: str,
        *,
        on_frames: OnFrames,
        on_connected: OnConnected,
        clock: Clock,
    ) -> None:
        self._stream = _Stream(key, secret, url, self)
        self._stream.subscribe_trade_updates(_interpret_nothing)
        self._on_frames = on_frames
        self._on_connected = on_connected
        self._clock = clock
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(_QUEUE)
        self._background = Background()
        self._stopping = False
        self.listening_since: datetime | None = None
        self.last_frame_at: datetime | None = None

    @property
    def connected(self) -> bool:
        return self.listening_since is not None

    async def run(self) -> None:
        """Read until `stop`, through every disconnect. Raises StreamRefused when the keys are not taken."""
        self._stopping = False
        reading, keeping = asyncio.create_task(self._read()), asyncio.create_task(self._keep_frames())
        try:
            done, _ = await asyncio.wait({reading, keeping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            reading.cancel()
            keeping.cancel()
            await self._stream.close()

    async def _read(self) -> None:
        while not self._stopping:
            await self._stream.read()
            if self._stream.refused:
                raise StreamRefused("the trade-updates stream refuses our keys")

    async def stop(self) -> None:
        """End `run` soon."""
        self._stopping = True
        await self._stream.stop_ws()
        await self._stream.hang_up()

    def force_reconnect(self) -> None:
        """Drop the connection and subscribe again; used when polling saw what the stream did not."""
        if not self.connected:
            return  # already on the way
        self.listening_since = None
        self._background.spawn(self._stream.hang_up())

    async def take(self, raw: bytes) -> None:
        """Take a frame off the socket; waits while too many wait already."""
        self.last_frame_at = self._clock.now()
        await self._frames.put(Frame(raw, self.last_frame_at))

    def listening(self) -> None:
        self.listening_since = self._clock.now()
        self._background.spawn(self._on_connected())

    def disconnected(self) -> None:
        self.listening_since = None

    async def _keep_frames(self) -> None:
        while True:
            frames = [await self._frames.get()]
            while len(frames) < _TOGETHER and not self._frames.empty():
                frames.append(self._frames.get_nowait())
            if not await self._kept(frames):
                _log.error("%d trade updates could not be kept; reconnecting to close the gap", len(frames))
                self.force_reconnect()

    async def _kept(self, frames: Sequence[Frame]) -> bool:
        for pause in _RETRY_SECONDS:
            try:
                await self._on_frames(frames)
            except Exception:  # noqa: BLE001 - the stream survives whatever keeping frames comes to
                _log.exception("keeping trade updates failed")
                await asyncio.sleep(pause)
            else:
                return True
        return False


async def _interpret_nothing(_: Any) -> None:
    """The SDK wants a handler before it subscribes; every frame has been kept already."""
