"""`gateway replay`: one stream from its first event, and the state they add up to."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from rich.console import Console
from rich.text import Text

from gateway.aggregates.order.state import Order
from gateway.cli.endings import CommandFailed
from gateway.cli.lines import line_of
from gateway.cli.reading import open_log
from gateway.ledger.catalog import CATALOG
from gateway.ledger.catalog_types import UnknownStream
from gateway.ledger.envelope import Recorded, Undecodable
from gateway.ledger.log import Log
from gateway.settings import Settings

_ORDER: Final = "order-"


async def replay(settings: Settings, console: Console, name: str, *, upto: int | None) -> None:
    """`name` is a stream or an order's id. Raises CommandFailed when the ledger has no such thing."""
    async with open_log(settings) as log:
        events = await _events(log, name, upto)
    for recorded in events:
        console.print(line_of(recorded), soft_wrap=True)
    state = _fold(events)
    heading = f"{events[0].stream} at position {events[-1].position}{_verdict(state)}"
    console.print(Text(heading, style="bold"), soft_wrap=True)
    console.print_json(msgspec.json.encode(_present(msgspec.to_builtins(state))).decode())


def _verdict(state: Any) -> str:
    """The words an order's state comes down to."""
    if not isinstance(state, Order):
        return ""
    return f": {state.status}, {state.cum_qty} of {state.ticket.qty} {state.ticket.symbol} executed"


def _present(value: Any) -> Any:
    """Without what is null or empty, which says nothing here."""
    if isinstance(value, dict):
        kept = {name: _present(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, [], {})}
    return value


async def _events(log: Log, name: str, upto: int | None) -> list[Recorded]:
    for stream in (name, f"{_ORDER}{name}"):
        if events := await log.stream(stream, upto=upto):
            return events
    when = f" up to position {upto}" if upto is not None else ""
    raise CommandFailed(
        f"the ledger has no stream and no order {name!r}{when}; `gateway follow --after 0` shows all"
    )


def _fold(events: list[Recorded]) -> Any:
    try:
        kind = CATALOG.kind_of(events[0].stream)
    except UnknownStream:
        return None
    state = None
    for recorded in events:
        if isinstance(recorded.event, Undecodable):
            raise CommandFailed(f"position {recorded.position} cannot be read: {recorded.event.reason}")
        state = kind.evolve(state, recorded.event)
    return state
