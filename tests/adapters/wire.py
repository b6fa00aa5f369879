"""A small HTTP server that answers what a test tells it to, however wrong, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Wire:
    """`behaves` decides what happens to the next requests; `asked` is everything that came."""

    behaves: Behaviour
    scheme: str = "http"
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def reached(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= number)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                async with self._news:
                    self.asked.append(asked)
                    self._news.notify_all()
                await self.behaves(asked, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


def answer(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """Answer with this status; a dict or a list goes as JSON."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(message(status, body, headers))

    return behave


def message(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-length": str(len(raw)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + raw


async def hang_up(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Read the request and close without a word."""
    writer.transport.abort()


async def say_nothing(_: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def drip(body: bytes, *, every: float) -> Behaviour:
    """Answer one byte at a time, so that no single read ever times out."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        whole = message(200, body)
        for index in range(len(whole)):
            writer.write(whole[index : index + 1])
            await writer.drain()
            await asyncio.sleep(every if index > len(whole) - len(body) else 0)

    return behave


def cut(body: Any, *, after: int) -> Behaviour:
    """Promise the whole body and send a part of it."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        whole = message(200, body)
        writer.write(whole[: len(whole) - after])
        await writer.drain()
        writer.close()

    return behave


@asynccontextmanager
async def wire(behaves: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    served = Wire(behaves, scheme="https" if tls else "http")
    connections: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await served.serve(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def self_signed(directory: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "server.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context
