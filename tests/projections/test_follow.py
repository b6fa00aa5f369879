"""Following the log: exactly once, through whatever breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import psycopg
import pytest

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.aggregates.refusals import ProjectionBehind
from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.envelope import Recorded
from gateway.ledger.ledger import Ledger
from gateway.ledger.migrate import upgrade
from gateway.projections import registry
from gateway.projections.connection import connected
from gateway.projections.follow import IDLE_SECONDS
from gateway.projections.projection import Key
from gateway.projections.rebuild import URL_VARIABLE, rebuild
from gateway.projections.standing import Condition
from gateway.projections.verify import verify_projections
from tests.kit.covers import covers
from tests.projections.tally import (
    CATALOG,
    LABELS,
    TALLIES,
    Counted,
    Sum,
    Tally,
    checkpoint,
    counted,
    evolve,
    fold,
    following,
    opened,
    record,
    table,
    until,
)

BOTH = (TALLIES, LABELS)


async def test_what_is_recorded_can_soon_be_read_in_every_table(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        position = await record(ledger, ("1.5", "red"), ("2", "blue"), ("3.25", "red"))
        await engine.wait_for(position, timeout=5)
        assert table(database, "tallies") == {"tally-a": (Decimal("6.75"), 3, 3)}
        assert table(database, "labels") == {"red": (Decimal("4.75"), 2, 3), "blue": (Decimal(2), 1, 2)}


async def test_what_was_recorded_before_the_start_is_caught_up_with(database: str) -> None:
    async with opened(database) as ledger:
        for _ in range(3):
            position = await record(ledger, *[("1", "red")] * 500)
        async with following(database, ledger) as engine:
            await engine.wait_for(position, timeout=5)
            assert table(database, "labels") == {"red": (Decimal(1500), 1500, 1500)}


async def test_waiting_ends_with_the_append_and_not_with_the_next_look_around(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        waits = []
        for _ in range(20):
            began = time.perf_counter()
            await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
            waits.append(time.perf_counter() - began)
        assert sorted(waits)[10] < IDLE_SECONDS / 3


async def test_waiting_for_what_does_not_come_says_how_far_it_got(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        position = await record(ledger, ("1", "red"))
        await engine.wait_for(position, timeout=5)
        with pytest.raises(ProjectionBehind) as behind:
            await engine.wait_for(position + 1, ["labels"], timeout=0.05)
        assert behind.value.facts == {"position": position, "wanted": position + 1}


@covers("FM:F-122")
async def test_a_projection_that_fails_is_parked_and_goes_on_when_it_can_while_others_never_stop(
    database: str,
) -> None:
    poisoned = True

    def fragile(row: Sum | None, key: Key, recorded: Recorded) -> Sum:
        if poisoned and counted(recorded).amount == 13:
            raise ZeroDivisionError("unlucky")
        return fold(row, key, recorded)

    async with (
        opened(database) as ledger,
        following(database, ledger, TALLIES, replace(LABELS, fold=fragile)) as engine,
    ):
        end = await record(ledger, *[("1", "red")] * 5, ("13", "red"), *[("1", "red")] * 5)
        await engine.wait_for(end, ["tallies"], timeout=5)
        with pytest.raises(ProjectionBehind):
            await engine.wait_for(end, ["labels"], timeout=1)
        assert table(database, "labels") == {"red": (Decimal(5), 5, 5)}
        standings = {standing.name: standing for standing in await engine.status()}
        assert (standings["labels"].state, standings["labels"].position) == (Condition.FAILED, 5)
        assert "position 6: ZeroDivisionError: unlucky" in (standings["labels"].last_error or "")
        assert standings["labels"].lag_events == 6
        assert standings["tallies"].state is Condition.LIVE
        assert engine.failures.keys() == {"labels"}

        poisoned = False
        await until(lambda: not engine.failures)
        await engine.wait_for(end, timeout=5)
        assert table(database, "labels") == {"red": (Decimal(23), 11, 11)}
        assert {s.state for s in await engine.status()} == {Condition.LIVE}


async def test_a_table_somebody_keeps_locked_parks_its_projection_alone(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        with psycopg.connect(database) as other:
            other.execute("lock table read.labels_v1_1 in access exclusive mode")
            end = await record(ledger, ("1", "red"))
            await engine.wait_for(end, ["tallies"], timeout=5)
            await until(lambda: "labels" in engine.failures)
        await until(lambda: not engine.failures)
        await engine.wait_for(end, timeout=5)
        assert engine.interruptions == 0


async def test_parking_an_old_table_leaves_the_one_in_its_place_alone(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
    async with connected(database) as connection:
        await registry.park(connection, "labels", "labels_v1_0", "of long ago")
        assert (await registry.entries(connection))["labels"].well


async def test_a_table_that_refuses_a_row_parks_its_projection_alone(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        with psycopg.connect(database) as connection:
            connection.execute("alter table read.labels_v1_1 add check (total < 10)")
        end = await record(ledger, ("5", "blue"), ("20", "red"), ("5", "blue"))
        await engine.wait_for(end, ["tallies"], timeout=5)
        await until(lambda: "labels" in engine.failures)
        assert "position 3: CheckViolation" in engine.failures["labels"]
        assert table(database, "labels") == {"red": (Decimal(1), 1, 1), "blue": (Decimal(5), 1, 2)}
        with psycopg.connect(database) as connection:
            connection.execute("alter table read.labels_v1_1 drop constraint labels_v1_1_total_check")
        await until(lambda: not engine.failures)
        assert table(database, "labels") == {"red": (Decimal(21), 2, 3), "blue": (Decimal(10), 2, 4)}


async def test_a_table_that_was_dropped_parks_its_projection_until_it_is_rebuilt(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        with psycopg.connect(database) as connection:
            connection.execute("drop table read.labels_v1_1")
        end = await record(ledger, ("1", "red"))
        await engine.wait_for(end, ["tallies"], timeout=5)
        await until(lambda: "labels" in engine.failures)
        await rebuild(database, ledger.log, [LABELS])
        await until(lambda: not engine.failures)
        assert table(database, "labels") == {"red": (Decimal(2), 2, end)}


@covers("FM:F-123", "SEC:S-78")
async def test_an_event_of_an_unknown_shape_stops_those_who_hear_it_and_is_never_skipped(
    database: str,
) -> None:
    newer = Catalog(
        [
            *(kind for kind in CATALOG.kinds if kind.prefix != "tally-"),
            StreamKind(
                prefix="tally-",
                state=Tally,
                state_version=1,
                events=((Counted, "tally.counted", 9),),
                evolve=evolve,
            ),
        ]
    )
    deaf = replace(LABELS, listens=("other.",))
    async with opened(database) as ledger, following(database, ledger, TALLIES, deaf) as engine:
        await record(ledger, ("1", "red"))
        async with Ledger.opened(database, newer, build="next") as next_build:
            end = await record(next_build, ("1", "red"), name="b")
        await engine.wait_for(end, ["labels"], timeout=5)
        await until(lambda: "tallies" in engine.failures)
        assert table(database, "tallies") == {"tally-a": (Decimal(1), 1, 1)}
        assert checkpoint(database, "tallies") == 1


async def test_two_followers_of_the_same_tables_count_nothing_twice(database: str) -> None:
    async with (
        opened(database) as one,
        opened(database) as two,
        following(database, one) as first,
        following(database, two) as second,
    ):
        for ledger in (one, two) * 20:
            end = await record(ledger, ("1", "red"), ("2", "blue"))
        await first.wait_for(end, timeout=5)
        await second.wait_for(end, timeout=5)
        assert table(database, "labels") == {"red": (Decimal(40), 40, 79), "blue": (Decimal(80), 40, 80)}
        assert all(proof.equal for proof in await verify_projections(database, one.log, BOTH))


@covers("INV-10")
async def test_lost_connections_lose_nothing_and_the_checkpoint_only_grows(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        seen = []
        for _ in range(8):
            end = await record(ledger, *[("1", "red")] * 200)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                    " and (query like '%%read.%%' or query = 'COMMIT')"
                )
            seen.append(checkpoint(database, "labels"))
            await asyncio.sleep(0.05)
        await engine.wait_for(end, timeout=10)
        assert seen == sorted(seen)
        assert engine.interruptions > 0
        assert table(database, "labels") == {"red": (Decimal(1600), 1600, 1600)}


@covers("FC:G-02", "FM:F-120", "INV-10")
async def test_a_follower_killed_at_any_moment_resumes_exactly(database: str) -> None:
    async with opened(database) as ledger:
        async with following(database, ledger):
            end = await record(ledger, ("1", "red"))
        seen = []
        for _ in range(3):
            end = await record(ledger, *[("1", "red")] * 6_000)
            child = await _follower(database)
            await until(partial(_moved, database, checkpoint(database, "labels")))
            child.send_signal(signal.SIGKILL)
            await child.wait()
            seen.append(checkpoint(database, "labels"))
        assert seen == sorted(set(seen))
        async with following(database, ledger) as engine:
            await engine.wait_for(end, timeout=20)
            assert all(proof.equal for proof in await verify_projections(database, ledger.log, BOTH))
            assert table(database, "labels") == {"red": (Decimal(end), end, end)}


async def test_following_goes_on_when_the_server_comes_back(
    private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    private_postgres.create_database("desk")
    url = private_postgres.url("desk")
    upgrade(url)
    async with opened(url) as ledger, following(url, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        private_postgres.kill()
        EmbeddedPostgres.start(private_postgres.directory, programs=postgres_programs)
        end = await record(ledger, ("2", "red"))
        await engine.wait_for(end, timeout=10)
        assert table(url, "labels") == {"red": (Decimal(3), 2, end)}


def test_a_checkpoint_cannot_be_set_back(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into read.projection (name, version, generation, table_name, position, state)"
            " values ('labels', 1, 1, 'labels_v1_1', 5, 'live')"
        )
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            connection.execute("update read.projection set position = 4")


def _moved(url: str, position: int) -> bool:
    return checkpoint(url, "labels") > position


async def _follower(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.projections.children", "follow", env={**os.environ, URL_VARIABLE: url}
    )
