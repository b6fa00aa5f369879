"""The HTTP edge: every exchange is recorded here, and HTTP faults strike here."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

import msgspec
from starlette.datastructures import QueryParams

from gateway.paper.clock import wall
from gateway.paper.distortions import distorted_body
from gateway.paper.faults import Fault, Faults, Params
from gateway.paper.house import House
from gateway.paper.request_log import RequestRecord

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
About = dict[str, str]

_TOO_MANY: Final[dict[str, object]] = {
    "json": {"code": 42910000, "message": "too many requests"},
    "html": "<html><body>429 Too Many Requests</body></html>",
    "empty": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Cut | None = None
    drip: Params | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The body ends after so many bytes, and the connection with it; it is never complete."""

    after: int
    reset: bool = False
    chunked: bool = False


class CutOffError(Exception):
    """The connection was ended on purpose; there is nobody to answer."""


class Wire:
    """The outermost application. `/_ctl` and what has no end pass it untouched."""

    def __init__(self, app: App, house: House) -> None:
        self._app, self._house = app, house
        self._buckets: dict[str, Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/_ctl", "/v2/events")):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        record = self._house.requests.add(scope, body, wall())
        try:
            answer = await self._exchange(scope, body, record)
            await self._send(scope, send, answer)
            record.status = answer.status
        except CutOffError:
            record.status = 0
            await _until_gone(receive)
        finally:
            record.answered_at = wall()

    @property
    def _faults(self) -> Faults:
        return self._house.kernel.faults

    async def _exchange(self, scope: Scope, body: bytes, record: RequestRecord) -> Answer:
        about = _about(scope, body)
        latency = self._faults.take("http.latency", **about)
        await asyncio.sleep(self._delay(latency))
        answer = await self._before(scope, about)
        if answer is None:
            record.handled = True
            told = self._distorted(await _run(self._app, scope, body), about)
            answer = await self._after(scope, about, told)
        await asyncio.sleep(self._delay(latency))
        return answer

    def _delay(self, latency: Params | None) -> float:
        """Seconds each way."""
        if latency is None:
            return 0
        return (latency.ms + self._faults.draw.uniform(0, latency.jitter_ms)) / 1000

    def _distorted(self, answer: Answer, about: About) -> Answer:
        body = distorted_body(self._faults, answer.body, about)
        if body is answer.body:
            return answer
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return replace(answer, body=body, headers=headers)

    async def _before(self, scope: Scope, about: About) -> Answer | None:
        if params := self._faults.take("http.auth", **about):
            return _answer(params, status=401)
        limit = self._faults.strike("http.rate_limit", **about)
        if limit and (refused := self._buckets.setdefault(limit.id, Bucket()).refusal(limit)):
            return refused
        if params := self._faults.take("http.status", **about):
            return _answer(params, status=500)
        if params := self._faults.take("http.hang", phase="before", **about):
            await self._hang(scope, params.seconds)
        self._cut(scope, about, phase="before")
        return None

    async def _after(self, scope: Scope, about: About, answer: Answer) -> Answer:
        if params := self._faults.take("http.hang", phase="after", **about):
            await asyncio.sleep(params.seconds)
        self._cut(scope, about, phase="after")
        if params := self._faults.take("http.status_after", **about):
            return _answer(params, status=500)
        if params := self._faults.take("http.body", **about):
            return _answer(params, status=200)
        if params := self._faults.take("http.redirect", **about):
            return replace(_answer(params, status=302), headers={"location": params.location})
        return replace(answer, cut=self._cut_of(answer, about), drip=self._faults.take("http.drip", **about))

    def _cut_of(self, answer: Answer, about: About) -> Cut | None:
        half = len(answer.body) // 2
        if self._faults.take("http.reset", phase="mid_body", **about):
            return Cut(after=half, reset=True)
        if self._faults.take("http.close", phase="mid_body", **about):
            return Cut(after=half)
        if params := self._faults.take("http.truncate", **about):
            return Cut(after=params.bytes, chunked=params.framing == "chunked")
        return None

    async def _hang(self, scope: Scope, seconds: float) -> None:
        """A request whose world ended while it hung reaches no other world."""
        kernel = self._house.kernel
        await asyncio.sleep(seconds)
        if self._house.kernel is not kernel:
            self._house.sockets.cut(_peer(scope))
            raise CutOffError

    def _cut(self, scope: Scope, about: About, *, phase: str) -> None:
        if self._faults.take("http.reset", phase=phase, **about):
            self._house.sockets.cut(_peer(scope), reset=True)
            raise CutOffError
        if self._faults.take("http.close", phase=phase, **about):
            self._house.sockets.cut(_peer(scope))
            raise CutOffError

    async def _send(self, scope: Scope, send: Send, answer: Answer) -> None:
        if answer.cut and not answer.body:
            self._end(scope, answer.cut)
        headers = {"content-length": str(len(answer.body)), **answer.headers}
        if answer.cut and answer.cut.chunked:
            del headers["content-length"]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        body = answer.body[:-1][: answer.cut.after] if answer.cut else answer.body
        if answer.drip:
            for part in _parts(body, answer.drip.bytes):
                await send({"type": "http.response.body", "body": part, "more_body": True})
                await asyncio.sleep(answer.drip.every_s)
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": answer.cut is not None})
        if answer.cut is None:
            return
        await asyncio.sleep(0.02)  # an abort discards what the kernel has not taken yet
        self._end(scope, answer.cut)

    def _end(self, scope: Scope, cut: Cut) -> NoReturn:
        self._house.sockets.cut(_peer(scope), reset=cut.reset)
        raise CutOffError


class Bucket:
    """The requests of one window, for one armed rate limit."""

    def __init__(self) -> None:
        self._window_ends = 0.0
        self._used = 0

    def refusal(self, limit: Fault) -> Answer | None:
        """None while there is room."""
        params, now = limit.params, time.monotonic()
        if now >= self._window_ends:
            self._window_ends, self._used = now + params.window_s, 0
        self._used += 1
        if self._used <= params.limit:
            return None
        wait = self._window_ends - now
        headers: dict[str, str] = {"content-type": params.content_type}
        if params.headers == "alpaca":
            headers |= {
                "x-ratelimit-limit": str(params.limit),
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": str(math.ceil(time.time() + wait)),
            }
        elif params.headers == "retry_after":
            headers["retry-after"] = str(math.ceil(wait))
        body = _TOO_MANY.get(params.body, params.body) if isinstance(params.body, str) else params.body
        return Answer(status=429, body=_encoded(body), headers=headers)


def _answer(params: Params, *, status: int) -> Answer:
    headers = {"content-type": params.content_type}
    if isinstance(params.headers, dict):
        headers |= params.headers
    chosen = params.status if isinstance(params.status, int) else status
    return Answer(status=chosen, body=_encoded(params.body), headers=headers)


def _encoded(body: object) -> bytes:
    """Text goes out as it is; anything else as JSON; None as nothing."""
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def _peer(scope: Scope) -> tuple[str, int]:
    host, port = scope["client"]
    return host, port


def _about(scope: Scope, body: bytes) -> About:
    """What faults can match a request by."""
    path = scope["path"]
    about = {"method": scope["method"], "path": path}
    about |= {"cid": QueryParams(scope["query_string"]).get("client_order_id", "")}
    if path.startswith("/v2/orders/"):
        about["order_id"] = path.removeprefix("/v2/orders/")
    try:
        fields = json.loads(body) if body else {}
    except ValueError:
        return about
    if isinstance(fields, dict):
        about |= {"cid": str(fields.get("client_order_id", "")), "symbol": str(fields.get("symbol", ""))}
    return about


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _run(app: App, scope: Scope, body: bytes) -> Answer:
    """Run the handler to its end, whether or not the client still listens."""
    status, headers, parts = 500, dict[str, str](), list[bytes]()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update({k.decode("latin-1"): v.decode("latin-1") for k, v in message["headers"]})
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status=status, body=b"".join(parts), headers=headers)
