"""A broker of ours that talks to a server of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.adapters.alpaca import AlpacaBroker, AlpacaSettings
from gateway.adapters.system_clock import SystemClock
from tests.adapters.wire import Behaviour, Wire, answer, wire

HTML = b"<html><body>Bad Gateway</body></html>"
QUICK = {"connect_timeout": 0.3, "read_timeout": 0.4, "deadline": 0.8}


@asynccontextmanager
async def broker_at(url: str, **changes: Any) -> AsyncIterator[AlpacaBroker]:
    options = {name: changes.pop(name) for name in ("observe", "late_reply") if name in changes}
    settings = AlpacaSettings(key="key", secret="secret", base_url=url, **{**QUICK, **changes})
    broker = AlpacaBroker(settings, clock=SystemClock(), **options)
    try:
        yield broker
    finally:
        broker.close()


@asynccontextmanager
async def talking(behaves: Behaviour, **changes: Any) -> AsyncIterator[tuple[AlpacaBroker, Wire]]:
    async with wire(behaves) as served, broker_at(served.url, **changes) as broker:
        yield broker, served


def error(status: int, code: int | None, words: str, **extra: Any) -> Behaviour:
    return answer(status, {"message": words, **({} if code is None else {"code": code}), **extra})
