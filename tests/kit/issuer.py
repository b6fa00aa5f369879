"""A local issuer of second factors: publishes its keys over HTTP and signs OIDC id tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class Issuer:
    """`environment` points a gateway at it."""

    issuer: str = "https://login.desk.test"
    client_id: str = "execution-gateway"
    url: str = ""
    asked: int = 0

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Issuer]:
        issuer = cls()
        server = await asyncio.start_server(issuer._answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        issuer.url = f"http://{host}:{port}/keys"
        try:
            yield issuer
        finally:
            server.close()
            await server.wait_closed()

    @property
    def environment(self) -> dict[str, str]:
        return {"MFA_JWKS_URL": self.url, "MFA_ISSUER": self.issuer, "MFA_CLIENT_ID": self.client_id}

    def id_token(
        self, sub: str = "alice", *, key: rsa.RSAPrivateKey = KEY, kid: str = "first", **claims: Any
    ) -> str:
        """Given just now with a one-time password, unless `claims` say otherwise; None leaves a claim out."""
        now = int(datetime.now(UTC).timestamp())
        said: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": sub,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "amr": ["pwd", "otp"],
        } | claims
        told = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(told, key, algorithm="RS256", headers={"kid": kid})

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        published = json.loads(RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "first", "use": "sig"}
        body = json.dumps({"keys": [published]}).encode()
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()
