"""How a caller proves who he is: a bearer token, a service's signature, a relay's signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx2

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def _now() -> datetime:
    return datetime.now(UTC)


class BearerToken(httpx2.Auth):
    """The token is asked for at every request, so that a fresh one can take the place of an old one."""

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else lambda: token

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSignature(httpx2.Auth):
    """A service's own proof: an HMAC over each request, good once and for a few minutes.

    `user_id` is whom it acts for, `strategy_id` narrows it to one strategy; both may be empty.
    """

    service_id: str
    secret: bytes = field(repr=False)
    strategy_id: str = ""
    user_id: str = ""
    now: Callable[[], datetime] = _now
    nonce: Callable[[], str] = lambda: secrets.token_urlsafe(16)

    requires_request_body = True

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response]:
        request.headers.update(self._headers(request))
        yield request

    def _headers(self, request: httpx2.Request) -> dict[str, str]:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        has_body = request.method in _WITH_BODY
        covered = {
            "method": request.method,
            "path": path,
            "query": query,
            "service_id": self.service_id,
            "timestamp": str(int(self.now().timestamp())),
            "nonce": self.nonce(),
            "body_hash": hashlib.sha256(request.content).hexdigest() if has_body else "",
            "user_id": self.user_id,
            "strategy_id": self.strategy_id,
        }
        headers = {
            "X-Service-ID": covered["service_id"],
            "X-Internal-Timestamp": covered["timestamp"],
            "X-Internal-Nonce": covered["nonce"],
            "X-Internal-Token": service_token(self.secret, covered),
            "X-Body-Hash": covered["body_hash"],
            "X-User-ID": self.user_id,
            "X-Strategy-ID": self.strategy_id,
        }
        return {name: value for name, value in headers.items() if value}


def service_token(secret: bytes, covered: dict[str, str]) -> str:
    """Hex HMAC-SHA256 over compact JSON with sorted keys; absent values are empty."""
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(secret, text.encode("ascii"), hashlib.sha256).hexdigest()


def webhook_headers(secret: bytes, raw: bytes, at: datetime | None = None) -> dict[str, str]:
    """Over the raw bytes, or over `{seconds since 1970}.{raw bytes}` where a time is given."""
    stamp = {} if at is None else {"X-Webhook-Timestamp": str(int(at.timestamp()))}
    signed = b".".join([*(text.encode("ascii") for text in stamp.values()), raw])
    return {"X-Alpaca-Signature": hmac.new(secret, signed, hashlib.sha256).hexdigest(), **stamp}
