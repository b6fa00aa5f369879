"""alpaca-py's clients without their traps: one request per call, always bounded, never interpreted.

The SDK repeats a POST on 429 and 504, waits without a limit, reads proxy settings from the environment and
turns numbers into floats. Each of these can lose money, so each is switched off here and checked at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

from alpaca import __version__ as sdk_version
from alpaca.common.rest import RESTClient
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from requests import Session

from gateway.adapters.alpaca_json import read_json, storable

SDK_SERIES: Final = "0.44."
_BODY_LIMIT: Final = 8 * 1024 * 1024
_CHUNK: Final = 64 * 1024
_IDLE_SECONDS: Final = 20.0


class UnsafeClient(Exception):
    """A knob that keeps orders from being sent twice is not where it must be; nothing may be sent."""


class ReplyTooLong(Exception):
    """The body is larger, or took longer, than any honest answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body with Decimals for numbers, or None when it is not JSON."""
        return read_json(self.body)

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error object of a refusal when it is one: JSON with a message."""
        body = self.json()
        if not isinstance(body, dict) or not isinstance(body.get("message"), str):
            return None
        return {name: storable(value) if isinstance(value, str) else value for name, value in body.items()}

    def is_absence(self) -> bool:
        """A well-formed "not found", as opposed to a 404 of something in between."""
        return self.status == 404 and self.error is not None and str(self.error.get("code")) == "40410000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one request, in seconds. `body` bounds an answer that drips in byte by byte."""

    connect: float = 1.0
    read: float = 2.0
    body: float = 30.0


class _OneRequest(RESTClient):
    """Sends each request exactly once and hands back what came."""

    limits: Limits
    _last_used: float

    def harden(self, limits: Limits) -> None:
        """Set the knobs the constructor has no argument for. Raises UnsafeClient."""
        if not sdk_version.startswith(SDK_SERIES):
            raise UnsafeClient(f"alpaca-py {sdk_version} was never checked; {SDK_SERIES}x is required")
        self.limits = limits
        self._retry = 0
        self._session.trust_env = False
        self._last_used = monotonic()
        self.check()

    def check(self) -> None:
        """Raises UnsafeClient when a request could be repeated, redirected by the machine, or unbounded."""
        adapters = self._session.adapters.values()
        repeats = self._retry or any(adapter.max_retries.total for adapter in adapters)  # type: ignore[attr-defined]
        if repeats or self._session.trust_env or type(self._session) is not Session:
            raise UnsafeClient("alpaca-py could repeat a request or send it elsewhere")

    def call(self, verb: str, path: str, fields: Mapping[str, str]) -> Reply:
        """Send one request; `fields` is the body of a POST, else the query. Raises anything."""
        reply = self._request(verb, path, dict(fields))
        return cast("Reply", reply)

    def close(self) -> None:
        self._session.close()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        if monotonic() - self._last_used > _IDLE_SECONDS:
            self._session.close()  # an idle connection may be dead, and a POST must not find that out
        timeouts = (self.limits.connect, self.limits.read)
        with self._session.request(method, url, timeout=timeouts, stream=True, **opts) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            reply = Reply(status=response.status_code, headers=headers, body=self._body(response.raw))
        self._last_used = monotonic()
        return reply

    def _body(self, raw: Any) -> bytes:
        """Read a body piece by piece. Raises ReplyTooLong."""
        until = monotonic() + self.limits.body
        body = bytearray()
        while piece := raw.read1(_CHUNK, decode_content=True):
            body += piece
            if len(body) > _BODY_LIMIT or monotonic() > until:
                raise ReplyTooLong(f"gave up after {len(body)} bytes")
        return bytes(body)


class Trading(_OneRequest, TradingClient):
    """The trading API, by `call` alone."""

    def __init__(self, key: str, secret: str, base_url: str, limits: Limits) -> None:
        super().__init__(key, secret, raw_data=True, url_override=base_url.rstrip("/"))
        self.harden(limits)


class Stocks(_OneRequest, StockHistoricalDataClient):
    """The market data API, by `call` alone."""

    def __init__(self, key: str, secret: str, base_url: str, limits: Limits) -> None:
        super().__init__(key, secret, raw_data=True, url_override=base_url.rstrip("/"))
        self.harden(limits)
