"""Callers of the gateway who survive its absence, and the record of everything they were told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx2

UNANSWERED: Final = 0
_PATIENCE_SECONDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request and its answer. Times are seconds of one monotonic clock; status 0 is no answer at all."""

    principal: str
    method: str
    path: str
    body: Any
    began: float
    ended: float
    status: int
    answer: Any

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The stable code of a refusal, empty when there is none."""
        return str(self.answer.get("code", "")) if isinstance(self.answer, dict) else ""


@dataclass(slots=True)
class History:
    """Every call of every caller, in the order of their answers."""

    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def add(self, call: Call) -> Call:
        with self._lock:
            self.calls.append(call)
        return call


class Caller:
    """A principal of the gateway, usable from several threads."""

    def __init__(self, url: str, token: str, *, name: str, history: History) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=_PATIENCE_SECONDS)
        self._history = history
        self.name = name

    def ask(self, method: str, path: str, body: Any = None, **query: object) -> Call:
        began = time.monotonic()
        parameters: Mapping[str, str] = {name: str(value) for name, value in query.items()}
        try:
            response = self._http.request(method, f"/api/v1/{path}", json=body, params=parameters)
            status, answer = response.status_code, _read(response.content)
        except httpx2.TransportError:
            status, answer = UNANSWERED, None
        call = Call(
            principal=self.name,
            method=method,
            path=path,
            body=body,
            began=began,
            ended=time.monotonic(),
            status=status,
            answer=answer,
        )
        return self._history.add(call)

    def close(self) -> None:
        self._http.close()


def _read(content: bytes) -> Any:
    try:
        return json.loads(content, parse_float=Decimal) if content else None
    except ValueError:
        return content.decode(errors="replace")
