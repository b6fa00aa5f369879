"""A house behind a real socket, for what only a connection can show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from gateway.main.lifecycle import _Server
from tests.kit.house import House


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The house's app behind a real socket; its address."""
    server = _Server(uvicorn.Config(house.app, port=0, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        house.gateway.phase.draining = True
        server.should_exit = True
        await serving
