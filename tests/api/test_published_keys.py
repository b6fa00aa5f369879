"""Keys from an address: cached, refetched rarely, and never a reason to let somebody in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.api.refusals import AuthUnavailable, InvalidToken
from gateway.api.roles import Principal
from gateway.api.tokens import PublishedKeys, TokenRules, principal_from
from tests.api.doubles import NOW, Hands
from tests.api.house import token_rules
from tests.kit.covers import covers

FIRST = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECOND = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class Issuer:
    """Publishes keys over HTTP and counts how often it is asked; `status` other than 200 is trouble."""

    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"first": FIRST})
    body: bytes | None = None
    status: int = 200
    asked: int = 0
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Issuer]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}/keys"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = self.body if self.body is not None else json.dumps({"keys": self._published()}).encode()
        head = f"HTTP/1.1 {self.status} x\r\nContent-Length: {len(body)}\r\nLocation: /keys\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    def _published(self) -> list[dict[str, Any]]:
        return [
            json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]


def token(kid: str | None, key: rsa.RSAPrivateKey = FIRST, *, at: float = 0) -> str:
    now = int(NOW.timestamp() + at)
    claims = {
        "iss": "trading-platform-web-console",
        "aud": "trading-platform-api",
        "sub": "alice",
        "role": "viewer",
        "iat": now,
        "exp": now + 900,
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid} if kid else None)


@dataclass(slots=True)
class Desk:
    rules: TokenRules
    clock: Hands

    async def lets_in(self, said: str) -> Principal:
        return await principal_from(said, self.rules, self.clock.now())


def desk_of(issuer: Issuer) -> Desk:
    clock = Hands()
    rules = replace(token_rules(algorithm="RS256"), keys=PublishedKeys(issuer.url, clock))
    return Desk(rules, clock)


@covers("SEC:S-11")
async def test_keys_are_fetched_once_and_kept_for_ten_minutes() -> None:
    async with Issuer().serving() as issuer:
        desk = desk_of(issuer)
        for _ in range(5):
            assert (await desk.lets_in(token("first"))).sub == "alice"
        assert issuer.asked == 1
        desk.clock.at += timedelta(minutes=10, seconds=1)
        await desk.lets_in(token("first", at=601))
        assert issuer.asked == 2


@covers("SEC:S-11")
async def test_an_unknown_key_is_looked_for_at_most_once_a_minute() -> None:
    async with Issuer().serving() as issuer:
        desk = desk_of(issuer)
        await desk.lets_in(token("first"))
        issuer.keys["second"] = SECOND
        for _ in range(5):
            with pytest.raises(InvalidToken):
                await desk.lets_in(token("second", SECOND))
        assert issuer.asked == 1
        desk.clock.at += timedelta(seconds=61)
        await desk.lets_in(token("second", SECOND))
        assert issuer.asked == 2


@pytest.mark.parametrize(
    "said",
    [token(None), token("other"), token("first", SECOND)],
    ids=["no key named", "another key named", "signed by another key"],
)
async def test_a_token_without_a_known_key_is_refused(said: str) -> None:
    async with Issuer().serving() as issuer:
        with pytest.raises(InvalidToken):
            await desk_of(issuer).lets_in(said)


@covers("SEC:S-11")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, None),
        (302, None),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"keys":[{"kty":"?"}]}'),
    ],
)
async def test_without_any_key_nobody_can_be_judged(status: int, body: bytes | None) -> None:
    async with Issuer(status=status, body=body).serving() as issuer:
        with pytest.raises(AuthUnavailable):
            await desk_of(issuer).lets_in(token("first"))
        assert issuer.asked == 1


async def test_known_keys_outlive_an_issuer_that_is_away() -> None:
    async with Issuer().serving() as issuer:
        desk = desk_of(issuer)
        await desk.lets_in(token("first"))
    desk.clock.at += timedelta(hours=1)
    assert (await desk.lets_in(token("first", at=3600))).sub == "alice"
