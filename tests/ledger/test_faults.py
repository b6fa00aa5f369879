"""Connections break, locks are held, servers die: nothing is lost, doubled, or waited for without end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger import migrate
from gateway.ledger.ledger import Ledger
from gateway.ledger.store import WRITER_LOCK
from tests.kit.covers import covers
from tests.ledger.accounts import CATALOG, cause, deposit
from tests.ledger.proxy import Proxy
from tests.ledger.waiting import until

A = "account-a"
BOUND = 8.0
"""Seconds within which an answer must come, whatever it is."""


async def append_together(ledger: Ledger, count: int) -> list[bool]:
    changes = await asyncio.gather(
        *(ledger.writer.change([A], deposit(A), cause(f"command-{i}")) for i in range(count))
    )
    assert sorted(change.position for change in changes) == list(range(2, 2 + count))
    return [change.replayed for change in changes]


@covers("FM:F-022")
@pytest.mark.parametrize("lost", ["lose_next_answer", "lose_next_request"])
async def test_a_connection_cut_around_the_commit_neither_loses_nor_doubles(
    database: str, tmp_path: Path, lost: str
) -> None:
    async with (
        Proxy.before(database, tmp_path) as (proxy, url),
        Ledger.opened(url, CATALOG, build="t") as ledger,
    ):
        await ledger.writer.change([A], deposit(A), cause())
        setattr(proxy, lost, True)
        assert await append_together(ledger, 5) == [False] * 5
        assert proxy.faults == 1
        assert await ledger.log.head() == 6
        assert (await ledger.load(A))[0].deposits == 6


@covers("FM:F-022")
async def test_a_commit_nobody_heard_of_is_echoed_when_the_command_comes_again(
    database: str, tmp_path: Path
) -> None:
    async with (
        Proxy.before(database, tmp_path) as (proxy, url),
        Ledger.opened(url, CATALOG, build="t") as ledger,
    ):
        await ledger.writer.change([A], deposit(A), cause())
        proxy.lose_next_answer = proxy.refuse = True
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause("ambiguous"))
        assert time.monotonic() - started < BOUND
        proxy.refuse = False
        again = await ledger.writer.change([A], deposit(A), cause("ambiguous"))
        assert (again.replayed, again.position) == (True, 2)
        assert (await ledger.load(A))[0].deposits == 2


async def test_while_the_database_is_away_everybody_is_told_within_the_bound(
    database: str, tmp_path: Path
) -> None:
    async with (
        Proxy.before(database, tmp_path) as (proxy, url),
        Ledger.opened(url, CATALOG, build="t") as ledger,
    ):
        proxy.refuse = True
        proxy.cut()
        started = time.monotonic()
        first = asyncio.create_task(ledger.writer.change([A], deposit(A), cause()))
        await asyncio.sleep(1)
        answers = await asyncio.gather(
            first,
            *(ledger.writer.change([A], deposit(A), cause()) for _ in range(20)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {LedgerUnavailable}
        with pytest.raises(LedgerUnavailable):
            await ledger.log.head()
        assert time.monotonic() - started < BOUND
        proxy.refuse = False
        change = await ledger.writer.change([A], deposit(A), cause())
        assert change.position == 1


@covers("FM:F-028")
@pytest.mark.parametrize(
    "hold",
    [f"select pg_advisory_xact_lock({WRITER_LOCK})", "lock table ledger.events in access exclusive mode"],
)
async def test_a_lock_held_elsewhere_is_waited_for_within_the_bound(
    ledger: Ledger, database: str, hold: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute(hold)
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause())
        assert time.monotonic() - started < BOUND
    assert (await ledger.writer.change([A], deposit(A), cause())).position == 1


@covers("FM:F-028")
async def test_vacuum_and_index_builds_do_not_stall_an_append(ledger: Ledger, database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as other:
        await other.execute("lock table ledger.events in share update exclusive mode")
        started = time.monotonic()
        await append_after_first(ledger)
        assert time.monotonic() - started < 1
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        vacuum = asyncio.create_task(other.execute("vacuum (analyze) ledger.events"))
        await ledger.writer.change([A], deposit(A), cause())
        await vacuum


async def append_after_first(ledger: Ledger) -> None:
    await ledger.writer.change([A], deposit(A), cause())
    await append_together(ledger, 20)


async def test_a_database_that_defaults_to_repeatable_read_changes_nothing(
    postgres: EmbeddedPostgres, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            f"alter database {owner.info.dbname} set default_transaction_isolation = 'repeatable read'"
        )
    async with (
        Ledger.opened(database, CATALOG, build="one") as one,
        Ledger.opened(database, CATALOG, build="two") as two,
    ):
        await asyncio.gather(
            *(
                writer.change([A], deposit(A), cause())
                for _ in range(50)
                for writer in (one.writer, two.writer)
            )
        )
        assert (await one.load(A))[0].deposits == 100


async def test_the_append_function_refuses_any_other_isolation(ledger: Ledger, database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.errors.InvalidTransactionState):
            owner.execute("select ledger.append(0, null, null, null, null)")


async def test_a_read_only_server_is_unavailable_not_an_error(database: str) -> None:
    url = make_conninfo(database, options="-c default_transaction_read_only=on")
    async with Ledger.opened(url, CATALOG, build="test") as ledger:
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause())


async def test_the_writer_survives_its_session_being_ended(ledger: Ledger, database: str) -> None:
    await ledger.writer.change([A], deposit(A), cause())
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert await append_together(ledger, 5) == [False] * 5
    assert await ledger.log.head() == 6


async def test_a_server_that_stops_answering_is_given_up_within_the_bound(
    ledger: Ledger, database: str
) -> None:
    await ledger.writer.change([A], deposit(A), cause())
    with psycopg.connect(database, autocommit=True) as owner:
        pids = owner.execute(
            "select pid from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and query like '%ledger.append(%'"
        ).fetchall()
    assert len(pids) == 1
    os.kill(pids[0][0], signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause())
        assert time.monotonic() - started < 2 * BOUND
    finally:
        os.kill(pids[0][0], signal.SIGCONT)
    assert (await ledger.writer.change([A], deposit(A), cause())).states[A].deposits >= 2


@covers("INV-28", "FM:F-024")
async def test_kill_minus_nine_of_the_server_under_load_loses_nothing_acknowledged(
    private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    server = private_postgres
    server.create_database("crash")
    migrate.upgrade(server.url("crash"))
    acknowledged: dict[str, int] = {}
    async with Ledger.opened(server.url("crash"), CATALOG, build="test") as ledger:
        working = True

        async def caller(number: int) -> None:
            count = 0
            while working:
                count += 1
                command_id = f"{number}-{count}"
                stream = f"account-{number}"
                try:
                    change = await ledger.writer.change([stream], deposit(stream, times=2), cause(command_id))
                    acknowledged[command_id] = change.position
                except LedgerUnavailable:
                    await asyncio.sleep(0.05)

        callers = [asyncio.create_task(caller(number)) for number in range(8)]
        for _ in range(2):
            await asyncio.sleep(0.5)
            server.kill()
            await asyncio.to_thread(EmbeddedPostgres.start, server.directory, programs=postgres_programs)
            before = len(acknowledged)
            await until(lambda: len(acknowledged) >= before + 20, within=20)  # noqa: B023
        working = False
        await asyncio.gather(*callers)
        events = [event async for batch in ledger.log.scan() for event in batch]
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    last = {event.command_id: event.position for event in events}
    assert acknowledged.items() <= last.items()
