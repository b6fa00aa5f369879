"""Several processes write one ledger, and readers miss nothing."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise

import psycopg

from gateway.ledger.envelope import Recorded
from gateway.ledger.ledger import Ledger
from tests.kit.covers import covers
from tests.ledger.accounts import CATALOG, cause, open_account
from tests.ledger.waiting import until


async def hammers(processes: int, url: str, work: str, count: int) -> list[int]:
    """Run several writing processes that begin together; what each of them reports."""
    running = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.ledger.hammer", url, work, str(count)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"begin\n") for process in running))
    assert [process.returncode for process in running] == [0] * processes
    return [int(output) for output, _ in outputs]


@covers("FC:G-05", "FM:F-128", "INV-11")
async def test_a_tailing_reader_sees_every_event_of_many_processes_once_and_in_order(
    ledger: Ledger, database: str
) -> None:
    seen: list[Recorded] = []

    async def tail() -> None:
        async for events in ledger.log.follow(0, batch=100):
            seen.extend(events)

    tailing = asyncio.create_task(tail())
    written = sum(await hammers(3, database, "deposits", 25))
    await until(lambda: len(seen) >= written, within=10)
    tailing.cancel()
    assert [event.position for event in seen] == list(range(1, written + 1))
    versions: dict[str, int] = {}
    for event in seen:
        assert event.version == versions.get(event.stream, 0) + 1
        versions[event.stream] = event.version
    assert all(a.recorded_at <= b.recorded_at for a, b in pairwise(seen))


@covers("FC:G-08", "FM:F-031", "INV-20")
async def test_two_processes_that_race_to_a_limit_never_both_act_on_a_stale_state(
    ledger: Ledger, database: str
) -> None:
    accounts, limit = 10, 200  # so much that neither process can take it all before the other begins
    for number in range(accounts):
        stream = f"account-{number}"
        await ledger.writer.change([], open_account(stream, limit), cause(), new=[stream])
    accepted = await hammers(2, database, "race", accounts)
    assert sum(accepted) == accounts * limit
    assert min(accepted) > 0
    for number in range(accounts):
        state, version = await ledger.load(f"account-{number}")
        assert (state.deposits, version) == (limit, limit + 1)


async def test_two_writers_that_think_a_stream_new_open_it_once(ledger: Ledger, database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        await asyncio.gather(
            *(
                ledger.writer.change([], open_account(s), cause(), new=[s])
                for s in ("account-a", "account-b")
            ),
            *(other.writer.change([], open_account(s), cause(), new=[s]) for s in ("account-a", "account-c")),
        )
    with psycopg.connect(database) as owner:
        rows = owner.execute("select count(*), max(position), count(distinct stream) from ledger.events")
        assert rows.fetchone() == (3, 3, 3)
