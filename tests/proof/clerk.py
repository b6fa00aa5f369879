"""A process that delivers facts until it is killed: `python -m tests.proof.clerk DATABASE FILE`.

The file holds errands. A line for every delivery that is done goes to standard output; what has no line may
be done, half done or not begun, and comes again with the next clerk.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tests.proof.cases import Case
from tests.proof.hand import Hand

AT_ONCE: Final = 32
DONE: Final = "done:"
"""Begins the lines that say so; others are the log's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A case, and how many of its deliveries are known to be done."""

    case: Case
    done: int


async def work(database: str, errands: list[Errand]) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with Hand.at(database) as hand:
        for errand in errands:
            hand.know(errand.case)
        while await hand.receive.drive_pending():
            pass
        await asyncio.gather(*(_run(errand, hand, room) for errand in errands))


async def _run(errand: Errand, hand: Hand, room: asyncio.Semaphore) -> None:
    case = errand.case
    async with room:
        await hand.submit(case)
        for number in range(errand.done, len(case.told)):
            await hand.deliver(case.told[number])
            print(DONE, case.name, number + 1, flush=True)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=list[Errand])))
