"""One event as one line: where it stands, when, what happened to whom, by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from rich.text import Text

from gateway.ledger.envelope import Recorded

_STREAM_WIDTH: Final = 34
_TOPIC_WIDTH: Final = 26
_MOST_FACTS: Final = 8
_TOLD_ELSEWHERE: Final = frozenset({"at", "gates", "source", "transact_time", "client_order_id"})
_COLORS: Final = {"order": "cyan", "position": "green", "kill_switch": "red", "circuit_breaker": "red"}


def line_of(recorded: Recorded) -> Text:
    """For a terminal; a plain text holds the same words."""
    kind = recorded.name.partition(".")[0]
    line = Text(f"{recorded.position:>8}  ", style="dim")
    line.append(f"{recorded.recorded_at:%H:%M:%S.%f}"[:-3] + "  ", style="dim")
    line.append(f"{recorded.name:<{_TOPIC_WIDTH}} ", style=_COLORS.get(kind, "magenta"))
    line.append(f"{recorded.stream:<{_STREAM_WIDTH}} ", style="bold")
    line.append(facts_of(recorded))
    return line.append(f"  by {recorded.actor.sub}", style="dim")


def facts_of(recorded: Recorded) -> str:
    """What the event says, without what the line says already."""
    facts = list(_facts(msgspec.json.decode(recorded.body)))
    return " ".join(facts[:_MOST_FACTS])


def _facts(body: Any) -> Iterator[str]:
    """Its own words first: why an order was refused goes before what was asked for."""
    for name, value in sorted(body.items(), key=lambda fact: isinstance(fact[1], dict)):
        if name in _TOLD_ELSEWHERE or value is None or value in ([], {}):
            continue
        if isinstance(value, dict):
            yield from _facts(value)
        else:
            yield f"{name}={value}"
