"""Bytes on a socket, and what comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.kit.serving import Served

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """Its body, which is a problem and nothing else."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body.decode("utf-8"))
        assert found["status"] == self.status
        assert found["detail"].startswith(f"{found['code']}: ")
        return found


class Wire:
    """One connection; `received` is what came and was not asked for yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""

    def send(self, *parts: bytes) -> None:
        """A peer that has hung up already is no error of ours: it may have answered before."""
        with suppress(ConnectionError):
            for part in parts:
                self.connection.sendall(part)

    def answer(self) -> Answer | None:
        """The next one; None when the connection is over."""
        while b"\r\n\r\n" not in self.received:
            if not self._more():
                return None
        head, _, rest = self.received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            self.received = b""
            if not self._more():
                break
            rest += self.received
        self.received = rest[length:]
        return Answer(int(first.split()[1]), headers, rest[:length])

    def is_closed(self) -> bool:
        """Waits until it is; only an answer that is not over keeps it open."""
        while self._more():
            pass
        return True

    def _more(self) -> bool:
        try:
            chunk = self.connection.recv(65_536)
        except ConnectionError:
            return False
        self.received += chunk
        return bool(chunk)


@contextmanager
def connected(served: Served) -> Iterator[Wire]:
    with socket.create_connection(served.address, timeout=PATIENCE_SECONDS) as connection:
        yield Wire(connection)


def request(method: str, path: str, *headers: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    return (
        "\r\n".join([f"{method} {path} {version}", "Host: desk", *headers, "", ""]).encode("latin-1") + body
    )
