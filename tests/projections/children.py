"""What the tests run in processes of their own: `follow` for ever, or `rebuild` by name."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from gateway.projections.follow import Follower
from gateway.projections.offline import reading, rebuild_tables
from gateway.projections.rebuild import URL_VARIABLE
from tests.projections.tally import CATALOG, LABELS, TALLIES

AVAILABLE = {p.name: p for p in (replace(TALLIES, version=2), LABELS)}


async def follow(url: str) -> None:
    async with reading(url, CATALOG) as log:
        await Follower(url=url, log=log, projections=(TALLIES, LABELS)).run()


async def rebuild(url: str, names: list[str]) -> None:
    await rebuild_tables(url, CATALOG, [AVAILABLE[name] for name in names])


if __name__ == "__main__":
    url = os.environ[URL_VARIABLE]
    asyncio.run(follow(url) if sys.argv[1] == "follow" else rebuild(url, sys.argv[2:]))
