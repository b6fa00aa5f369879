"""A writing process for the tests: `python -m tests.ledger.hammer URL deposits|race COUNT`.

It says `ready` and begins when it is sent a line.
"""

from __future__ import annotations

import asyncio
import sys

from gateway.ledger.ledger import Ledger
from tests.ledger.accounts import CATALOG, LimitReached, cause, deposit, note

CALLERS = 8


async def deposits(ledger: Ledger, count: int) -> int:
    """Append two events a command, on streams every process writes to."""

    async def caller(number: int) -> None:
        stream = f"account-{number}"
        for _ in range(count):
            await ledger.writer.change([stream, "notes"], deposit(stream), cause())
            await ledger.writer.change(["notes"], note("x"), cause())

    await asyncio.gather(*map(caller, range(CALLERS)))
    return CALLERS * count * 2


async def race(ledger: Ledger, count: int) -> int:
    """Deposit until every account refuses; the number of deposits accepted."""
    accepted = 0

    async def caller(number: int) -> None:
        nonlocal accepted
        stream = f"account-{number % count}"
        while True:
            try:
                await ledger.writer.change([stream], deposit(stream), cause())
            except LimitReached:
                return
            accepted += 1

    await asyncio.gather(*map(caller, range(CALLERS * count)))
    return accepted


async def main(url: str, work: str, count: int) -> None:
    async with Ledger.opened(url, CATALOG, build="hammer") as ledger:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(await {"deposits": deposits, "race": race}[work](ledger, count))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
