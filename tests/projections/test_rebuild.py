"""Rebuilding beside live traffic, and proving what was built."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import BigInteger, Column, MetaData, Numeric, Table, Text

from gateway.aggregates.refusals import RebuildInProgress
from gateway.ledger.envelope import Recorded
from gateway.projections import engine as engine_module
from gateway.projections import registry
from gateway.projections.connection import connected
from gateway.projections.projection import Key
from gateway.projections.rebuild import RebuildRefused, RebuildUnproven, rebuild
from gateway.projections.standing import Condition
from gateway.projections.verify import verify_projections
from tests.kit.covers import covers
from tests.projections.tally import (
    LABELS,
    TALLIES,
    Sum,
    checkpoint,
    fold,
    following,
    opened,
    record,
    table,
    until,
)

BOTH = (TALLIES, LABELS)
CHILDREN = (sys.executable, "-m", "tests.projections.children", "rebuild")


@covers("FC:G-03", "INV-09")
async def test_a_rebuilt_table_equals_the_one_that_was_followed(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        for number in range(30):
            end = await record(ledger, ("0.1", f"label-{number % 7}"), ("2", "blue"), name=f"t{number % 4}")
        await engine.wait_for(end, timeout=5)
        followed = {p.name: table(database, p.name) for p in BOTH}
        steps: list[tuple[int, int]] = []
        proofs = await rebuild(database, ledger.log, BOTH, lambda done, head: steps.append((done, head)))
        assert [(proof.equal, proof.position) for proof in proofs] == [(True, end), (True, end)]
        assert steps[-1] == (end, end)
        assert {p.name: table(database, p.name) for p in BOTH} == followed
        assert {proof.table_name for proof in proofs} == {"tallies_v1_2", "labels_v1_2"}


@covers("FC:G-03", "FM:F-125")
async def test_a_rebuild_during_live_traffic_loses_and_doubles_nothing(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await record(ledger, *[("1", "red")] * 3000)
        stop = asyncio.Event()

        async def traffic() -> int:
            end = 0
            while not stop.is_set():
                end = await record(ledger, ("1", "red"), ("1", "blue"))
                await asyncio.sleep(0.001)
            return end

        writing = asyncio.create_task(traffic())
        for _ in range(3):
            await rebuild(database, ledger.log, BOTH)
            await asyncio.sleep(0.05)
        stop.set()
        end = await writing
        await engine.wait_for(end, timeout=5)
        assert table(database, "labels")["red"][1] + table(database, "labels")["blue"][1] == end
        assert all(proof.equal for proof in await verify_projections(database, ledger.log, BOTH))
        assert not engine.failures


async def test_only_one_rebuild_of_a_table_runs_at_a_time(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        async with connected(database) as elsewhere:
            await registry.claim_rebuild(elsewhere, "labels")
            with pytest.raises(RebuildInProgress):
                await rebuild(database, ledger.log, [LABELS])
            with pytest.raises(RebuildInProgress):
                await engine.rebuild("labels")
            states = {standing.name: standing.state for standing in await engine.status()}
            assert states == {"labels": Condition.REBUILDING, "tallies": Condition.LIVE}
        assert (await rebuild(database, ledger.log, [LABELS]))[0].equal


async def test_the_engine_rebuilds_in_a_process_of_its_own(database: str) -> None:
    async with (
        opened(database) as ledger,
        following(database, ledger, LABELS, children=CHILDREN) as engine,
    ):
        end = await record(ledger, ("1", "red"))
        await engine.wait_for(end, timeout=5)
        await engine.rebuild("labels")
        with pytest.raises(RebuildInProgress):
            await engine.rebuild("labels")
        await until(lambda: _table_name(database, "labels") == "labels_v1_2")
        end = await record(ledger, ("1", "red"))
        await engine.wait_for(end, timeout=5)
        assert table(database, "labels") == {"red": (Decimal(2), 2, end)}


async def test_a_new_version_is_built_at_the_start_while_the_old_table_answers(database: str) -> None:
    async with opened(database) as ledger:
        async with following(database, ledger, TALLIES) as engine:
            end = await record(ledger, ("1.5", "red"))
            await engine.wait_for(end, timeout=5)
        async with following(database, ledger, replace(TALLIES, version=2), children=CHILDREN) as engine:
            assert _table_name(database, "tallies") == "tallies_v1_1"
            end = await record(ledger, ("2", "red"))
            await engine.wait_for(end, timeout=10)
            assert _table_name(database, "tallies") == "tallies_v2_2"
            assert table(database, "tallies") == {"tally-a": (Decimal("3.5"), 2, end)}


async def test_a_table_far_behind_the_log_is_rebuilt_rather_than_followed(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "FAR_BEHIND", 10)
    async with opened(database) as ledger:
        end = await record(ledger, *[("1", "red")] * 500)
        async with following(database, ledger, LABELS, children=CHILDREN) as engine:
            await until(lambda: _table_name(database, "labels") == "labels_v1_2")
            await engine.wait_for(end, timeout=5)
            assert table(database, "labels") == {"red": (Decimal(500), 500, end)}


async def test_an_older_build_leaves_a_newer_table_alone(database: str) -> None:
    async with opened(database) as ledger:
        async with following(database, ledger, replace(TALLIES, version=2)) as engine:
            end = await record(ledger, ("1", "red"))
            await engine.wait_for(end, timeout=5)
        async with following(database, ledger, TALLIES, LABELS) as engine:
            await engine.wait_for(await record(ledger, ("1", "red")), ["labels"], timeout=5)
            states = {standing.name: standing.state for standing in await engine.status()}
            assert states == {"labels": Condition.LIVE, "tallies": Condition.STOPPED}
            assert table(database, "tallies") == {"tally-a": (Decimal(1), 1, 1)}


@covers("FC:G-03")
async def test_a_table_that_does_not_hold_what_was_folded_is_not_swapped_in(database: str) -> None:
    narrow = Table(
        "labels",
        MetaData(schema="read"),
        Column("of", Text, primary_key=True),
        Column("total", Numeric(20, 1), nullable=False),
        Column("events", BigInteger, nullable=False),
        Column("position", BigInteger, nullable=False),
    )
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("0.25", "red")), timeout=5)
        with pytest.raises(RebuildUnproven, match="labels_v1_2"):
            await rebuild(database, ledger.log, [replace(LABELS, table=narrow)])
        assert table(database, "labels") == {"red": (Decimal("0.25"), 1, 1)}
        assert (await rebuild(database, ledger.log, [LABELS]))[0].equal


async def test_a_rebuild_leaves_the_table_it_replaced_until_the_next_one_and_no_other(database: str) -> None:
    async with opened(database) as ledger, following(database, ledger, LABELS) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        for _ in range(3):
            await rebuild(database, ledger.log, [LABELS])
    with psycopg.connect(database) as connection:
        left = connection.execute("select tablename from pg_tables where tablename like 'labels%' order by 1")
        assert [name for (name,) in left] == ["labels_v1_3", "labels_v1_4"]


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        ("update read.labels_v1_1 set total = total + 0.01 where of = 'red'", "different"),
        ("delete from read.labels_v1_1 where of = 'red'", "missing"),
        ("insert into read.labels_v1_1 values ('red-handed', 1, 1, 1)", "unexpected"),
    ],
)
async def test_a_table_edited_by_hand_is_found_and_a_rebuild_heals_it(
    database: str, edit: str, finding: str
) -> None:
    async with opened(database) as ledger, following(database, ledger) as engine:
        await engine.wait_for(await record(ledger, ("1", "red"), ("1", "blue")), timeout=5)
        with psycopg.connect(database) as connection:
            connection.execute(edit.encode())
        proofs = {proof.name: proof for proof in await verify_projections(database, ledger.log, BOTH)}
        assert proofs["tallies"].equal
        assert not proofs["labels"].equal
        assert proofs["labels"].table_digest != proofs["labels"].fold_digest
        assert len(getattr(proofs["labels"], finding)) == 1
        await rebuild(database, ledger.log, [LABELS])
        assert all(proof.equal for proof in await verify_projections(database, ledger.log, BOTH))


async def test_a_rebuild_that_fails_leaves_word_beside_the_table_that_goes_on(database: str) -> None:
    says_no = (sys.executable, "-c", "import sys; sys.exit('not rebuilt: it differs in 3 rows')")
    async with opened(database) as ledger, following(database, ledger, LABELS, children=says_no) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        await engine.rebuild("labels")

        async def words() -> tuple[str, str | None]:
            (standing,) = await engine.status()
            return standing.state, standing.last_error

        async with asyncio.timeout(10):
            while (await words())[1] is None:
                await asyncio.sleep(0.02)
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        assert await words() == ("live", "the rebuild failed: not rebuilt: it differs in 3 rows")
        await rebuild(database, ledger.log, [LABELS])
        assert await words() == ("live", None)


async def test_an_older_build_does_not_take_the_place_of_a_newer_one(database: str) -> None:
    async with opened(database) as ledger:
        await rebuild(database, ledger.log, [replace(LABELS, version=2)])
        with pytest.raises(RebuildRefused):
            await rebuild(database, ledger.log, [LABELS])


async def test_a_rebuild_frees_a_parked_projection(database: str) -> None:
    def fragile(row: Sum | None, key: Key, recorded: Recorded) -> Sum:
        if row is not None and row.total > 100:
            raise ValueError("implausible")
        return fold(row, key, recorded)

    labels = replace(LABELS, fold=fragile)
    async with opened(database) as ledger, following(database, ledger, labels) as engine:
        await engine.wait_for(await record(ledger, ("1", "red")), timeout=5)
        with psycopg.connect(database) as connection:
            connection.execute("update read.labels_v1_1 set total = 1000")
        end = await record(ledger, ("1", "red"))
        await until(lambda: "labels" in engine.failures)
        await rebuild(database, ledger.log, [labels])
        await until(lambda: not engine.failures)
        assert checkpoint(database, "labels") == end
        assert table(database, "labels") == {"red": (Decimal(2), 2, end)}


def _table_name(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select table_name from read.projection where name = %s", (name,)
        ).fetchone()
    return found[0] if found else ""
