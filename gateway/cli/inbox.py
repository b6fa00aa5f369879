"""`gateway inbox`: the messages nobody could record, shown, and driven again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console
from rich.text import Text

from gateway.cli.endings import CommandFailed
from gateway.ledger.connection import conninfo, open_pool
from gateway.ledger.dead_letters import DeadLetters
from gateway.ledger.ledger import APP_ROLE
from gateway.settings import Settings

_SHOWN_BYTES: Final = 160
_PAGE: Final = 500


async def show(settings: Settings, console: Console) -> None:
    """One line for each message kept aside. Raises LedgerUnavailable."""
    async with _opened(settings) as letters:
        last, shown = 0, 0
        while page := await letters.listed(after=last, limit=_PAGE):
            for message in page:
                line = Text(f"{message.inbox_id:>8}  {message.received_at:%Y-%m-%d %H:%M:%S}  ", style="dim")
                line.append(f"{message.source:<10}", style="bold")
                line.append(repr(message.raw[:_SHOWN_BYTES])[2:-1])
                console.print(line, soft_wrap=True)
            last, shown = page[-1].inbox_id, shown + len(page)
    console.print(f"{shown} messages kept aside", style="dim")


async def redrive(settings: Settings, console: Console, ids: Sequence[int]) -> None:
    """Have these recorded after all; none means all. Raises LedgerUnavailable and CommandFailed."""
    async with _opened(settings) as letters:
        asked = await letters.redrive(ids or None)
    console.print(f"{len(asked)} messages are driven again by the gateway that runs, or by the next one")
    if strange := sorted(set(ids) - set(asked)):
        raise CommandFailed(f"not kept aside: {', '.join(map(str, strange))}")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[DeadLetters]:
    async with open_pool(conninfo(settings.database_url.get_secret_value(), role=APP_ROLE), 1) as pool:
        yield DeadLetters(pool)
