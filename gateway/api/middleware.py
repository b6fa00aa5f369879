"""What every request gets, whatever it asks: an id, one log line, one observation, and never a bare 500."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from traceback import extract_tb
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.api.deps import House
from gateway.api.errors import problem
from gateway.api.json_types import is_visible_ascii
from gateway.telemetry import log

MUTATING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANSWERED_WHILE_DRAINING: Final = frozenset({"/", "/health", "/health/live", "/health/ready", "/metrics"})


class ProxyHeaders:
    """Believes X-Forwarded-For and -Proto of trusted proxies only, and says that it looked."""

    def __init__(self, app: ASGIApp, *, house: House, trusted: list[str]) -> None:
        self.house = house
        self.inner: Any = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.house.track("proxy_headers")
        await self.inner(scope, receive, send)


class Envelope:
    """Gives a request its id and its answer its headers; the last line of defence."""

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self.app = app
        self.house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["headers"] = {"X-Request-ID": request_id}
        answer = _Answer(send, state["headers"], self.house if scope["method"] in MUTATING else None)
        started = perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._pass_on(scope, receive, answer)
            except ClientDisconnect:
                answer.status = answer.status or 499
            except Exception as error:  # noqa: BLE001 - the process survives whatever a request does
                await self._failed(Request(scope, receive), answer, error)
            self._record(scope, answer.status, perf_counter() - started)

    async def _pass_on(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if self.house.phase.draining and scope["path"] not in ANSWERED_WHILE_DRAINING:
            words = "the service is stopping; ask another instance"
            await problem(Request(scope, receive), "draining", words)(scope, receive, answer)
        else:
            await self.app(scope, receive, answer)

    async def _failed(self, request: Request, answer: _Answer, error: Exception) -> None:
        trace = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-5:]]
        log("gateway.api").error("request failed", error=repr(error), trace=trace)
        if answer.status == 0:
            response = problem(request, "internal_error", "something went wrong; the request id names it")
            await response(request.scope, request.receive, answer)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        template = getattr(route, "path", "unrouted")
        principal = scope["state"].get("principal")
        self.house.metrics.http_requests.labels(
            method=scope["method"] if route is not None else "other",
            route=template,
            status_class=f"{status // 100}xx",
        ).observe(seconds)
        log("gateway.api").info(
            "request",
            method=scope["method"],
            route=template,
            status=status,
            duration_ms=round(seconds * 1000, 3),
            **({"principal": principal.sub} if principal is not None else {}),
            **({"on_behalf_of": principal.on_behalf_of} if principal and principal.on_behalf_of else {}),
        )


class _Answer:
    """Sends on, remembering the status and adding the headers collected on the way.

    An answer to a change that named no ledger position stands at the newest one.
    """

    def __init__(self, send: Send, headers: dict[str, str], changed: House | None) -> None:
        self.send = send
        self.headers = headers
        self.changed = changed
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.changed is not None and self.status != HTTPStatus.UNAUTHORIZED:
                self.headers.setdefault("X-Ledger-Position", str(self.changed.ledger.desk.position))
            MutableHeaders(scope=message).update(self.headers)
        await self.send(message)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if is_visible_ascii(given) else str(uuid4())
