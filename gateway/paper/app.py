"""The exchange as an application, and as a server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from gateway.paper.answers import refused, unknown_path, wrong_method
from gateway.paper.control import Control
from gateway.paper.errors import Refusal
from gateway.paper.events_api import EventsApi
from gateway.paper.facts import Source
from gateway.paper.house import House, Opening
from gateway.paper.keys import Key
from gateway.paper.market_api import MarketApi
from gateway.paper.server import Server
from gateway.paper.stream import Stream
from gateway.paper.trading_api import TradingApi
from gateway.paper.wire import Wire

log = logging.getLogger(__name__)


def create_app(house: House) -> Wire:
    """Everything from one origin: trading, market data, stream and control plane."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        keeping_time = asyncio.create_task(house.keep_time())
        keeping_time.add_done_callback(_report_end)
        yield
        keeping_time.cancel()
        house.journal.close()

    app = Starlette(
        routes=[
            *TradingApi(house).routes(),
            *MarketApi(house).routes(),
            *EventsApi(house).routes(),
            *Control(house).routes(),
            WebSocketRoute("/stream", Stream(house).serve),
        ],
        exception_handlers={Refusal: refused, 404: unknown_path, 405: wrong_method},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return Wire(app, house)


def _report_end(keeping_time: asyncio.Task[None]) -> None:
    if not keeping_time.cancelled():
        log.critical("the clock of the exchange has stopped", exc_info=keeping_time.exception())


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    directory: Path = Path(".gateway/paper"),
    *,
    seed: int | None = None,
    speed: int = 60,
    source: Source = "recorded",
    keys: tuple[Key, ...] = (),
) -> None:
    """Run until interrupted. Port 0 takes a free one; one line on standard output names the address."""
    opening = Opening(seed=seed, speed=speed, source=source)
    house = House(directory, opening, keys) if keys else House(directory, opening)
    config = uvicorn.Config(
        create_app(house),
        http=house.sockets.protocol(),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    listener = socket.create_server((host, port))
    print(f"paper exchange on http://{host}:{listener.getsockname()[1]}", flush=True)
    server = Server(config)
    house.sockets.close_door = server.close_door
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
