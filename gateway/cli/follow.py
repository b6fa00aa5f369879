"""`gateway follow`: the ledger as it grows."""

from __future__ import annotations

import asyncio
from typing import Final

from rich.console import Console

from gateway.cli.lines import line_of
from gateway.cli.reading import open_log
from gateway.settings import Settings

_PAGE: Final = 1000
_SHOWN_FIRST: Final = 10
_PAUSE_SECONDS: Final = 0.2


async def follow(
    settings: Settings,
    console: Console,
    *,
    after: int | None,
    most: int | None,
    stream: str | None = None,
    topic: str | None = None,
) -> None:
    """Print events after a position (None: the last ten and what comes) until `most` are shown.

    A topic that ends in a dot is a prefix. Raises LedgerUnavailable.
    """
    async with open_log(settings) as log:
        last = max(await log.head() - _SHOWN_FIRST, 0) if after is None else after
        shown = 0
        while most is None or shown < most:
            page = _PAGE if most is None else min(_PAGE, most - shown)
            events = await log.read(last, page, stream=stream, name=topic)
            for recorded in events:
                console.print(line_of(recorded), soft_wrap=True)
                last = recorded.position
            shown += len(events)
            if not events:
                await asyncio.sleep(_PAUSE_SECONDS)
