"""A plain web socket on the stream, to see each frame as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

from tests.kit.exchange import Exchange


@dataclass
class Listener:
    socket: ClientConnection

    def ask(self, message: dict[str, object]) -> Any:
        self.socket.send(json.dumps(message))
        return self.next_frame()

    def next_frame(self, timeout: float = 3) -> Any:
        return json.loads(self.socket.recv(timeout), parse_float=Decimal)

    def next(self, count: int = 1) -> list[Any]:
        """The next updates, without their envelopes."""
        return [self.next_frame()["data"] for _ in range(count)]

    def events(self, count: int) -> list[str]:
        return [update["event"] for update in self.next(count)]

    def is_silent(self, seconds: float = 0.15) -> bool:
        try:
            self.socket.recv(seconds)
        except TimeoutError:
            return True
        return False

    def listen(self, exchange: Exchange) -> None:
        keys = {"key_id": exchange.key, "secret_key": exchange.secret}
        assert self.ask({"action": "authenticate", "data": keys})["data"]["status"] == "authorized"
        assert self.ask({"action": "listen", "data": {"streams": ["trade_updates"]}})["stream"] == "listening"


@contextmanager
def connected(exchange: Exchange) -> Iterator[Listener]:
    with connect(exchange.stream_url) as socket:
        yield Listener(socket)


@contextmanager
def listening(exchange: Exchange) -> Iterator[Listener]:
    with connected(exchange) as listener:
        listener.listen(exchange)
        yield listener


@contextmanager
def server_sent(exchange: Exchange, **query: str) -> Iterator[Iterator[str]]:
    """The lines of the event stream that say something, after the first."""
    url = f"{exchange.url}/v2/events/trades"
    with requests.get(url, params=query, headers=exchange.headers, stream=True, timeout=3) as response:
        assert response.status_code == 200, response.text
        lines = (line.decode() for line in response.iter_lines(chunk_size=1) if line)
        assert next(lines) == ":connected"
        yield lines
