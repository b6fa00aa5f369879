"""`gateway follow`: the ledger as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from rich.console import Console

from gateway.cli.lines import line_of
from gateway.cli.reading import open_log
from gateway.ledger.envelope import Recorded
from gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """None wants everything; a topic that ends in a dot is a prefix."""

    stream: str | None = None
    topic: str | None = None

    def takes(self, recorded: Recorded) -> bool:
        if self.stream is not None and recorded.stream != self.stream:
            return False
        if self.topic is None:
            return True
        if self.topic.endswith("."):
            return recorded.name.startswith(self.topic)
        return recorded.name == self.topic


async def follow(
    settings: Settings, console: Console, wanted: Wanted, *, after: int | None, most: int | None
) -> None:
    """Print events after a position (None: the last ten and what comes) until `most` are shown."""
    async with open_log(settings) as log:
        start = max(await log.head() - 10, 0) if after is None else after
        shown = count(1)
        if most == 0:
            return
        async for events in log.follow(start):
            for recorded in filter(wanted.takes, events):
                console.print(line_of(recorded), soft_wrap=True)
                if next(shown) == most:
                    return
