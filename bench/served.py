"""One gateway behind uvicorn, in a process of its own: whole, or with another submit command.

`python -m bench.served whole|no-ledger|stock`; everything else stands in the environment.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import uvicorn
import uvloop
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from gateway.aggregates.order.state import Order, evolve, submit
from gateway.aggregates.vocabulary import ClientOrderId, Ticket, order_stream
from gateway.commands.submit_order import Answer, Submission
from gateway.ledger.catalog import CATALOG
from gateway.main.composition import Gateway
from gateway.main.lifecycle import Lifecycle
from gateway.settings import load_settings
from gateway.telemetry import configure_logging

STOCK_DATABASE: Final = "stock"
RECORDER_CONNECTIONS: Final = 32


class NoLedger:
    """Answers at once, as if all had been decided: what HTTP, identity, limits and the answer cost."""

    def __init__(self, gateway: Gateway) -> None:
        self._clock = gateway.clock

    async def __call__(self, ticket: Ticket, client_order_id: ClientOrderId, **_: Any) -> Submission:
        return Submission(order=self._order(ticket, client_order_id)[0], position=1, answer=Answer.DRY_RUN)

    async def drain(self) -> None:
        """Nothing is ever under way."""

    def _order(self, ticket: Ticket, client_order_id: ClientOrderId) -> tuple[Order, list[object]]:
        order: Order | None = None
        events: list[object] = []
        for event in submit(client_order_id=client_order_id, ticket=ticket, at=self._clock.now()):
            order = evolve(order, event)
            events.append(event)
        assert order is not None
        for event in order.dry_run():
            order = evolve(order, event)
            events.append(event)
        return order, events


class StockRecorder(NoLedger):
    """Writes the same two events, and nothing else, with the library's own recorder: a save in a thread."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        address = conninfo_to_dict(gateway.database)
        datastore = PostgresDatastore(
            STOCK_DATABASE,
            str(address["host"]),
            str(address.get("port", 5432)),
            str(address["user"]),
            "",
            pool_size=RECORDER_CONNECTIONS,
            max_overflow=0,
            originator_id_type="text",
        )
        self._recorder = PostgresApplicationRecorder(datastore)
        self._recorder.create_table()
        self._threads = ThreadPoolExecutor(RECORDER_CONNECTIONS)

    async def __call__(self, ticket: Ticket, client_order_id: ClientOrderId, **_: Any) -> Submission:
        order, events = self._order(ticket, client_order_id)
        stream = order_stream(client_order_id)
        stored = [
            StoredEvent(stream, 1 + number, *CATALOG.encode(event)) for number, event in enumerate(events)
        ]
        loop = asyncio.get_running_loop()
        positions = await loop.run_in_executor(self._threads, self._recorder.insert_events, stored)
        assert positions is not None
        return Submission(order=order, position=positions[-1], answer=Answer.DRY_RUN)


COMMANDS: Final[dict[str, Callable[[Gateway], Any]]] = {
    "whole": lambda gateway: gateway.submit_order,
    "no-ledger": NoLedger,
    "stock": StockRecorder,
}


async def serve(answering: str) -> None:
    settings = load_settings(os.environ)
    configure_logging(settings.log_level, service="bench", version="bench", pod="bench")
    gc.set_threshold(100_000, 50, 100)
    gateway = Gateway(settings)
    lifecycle = Lifecycle(gateway)
    await lifecycle.start()
    try:
        gateway.submit_order = COMMANDS[answering](gateway)
        config = uvicorn.Config(
            gateway.app(),
            host=settings.http_host,
            port=settings.http_port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
        )
        await uvicorn.Server(config).serve()
    finally:
        await lifecycle.stop()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
