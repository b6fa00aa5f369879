"""One holder at a time, and an old holder decides nothing."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from gateway.ledger.decision import Decision, States
from gateway.ledger.leases import LOCK_CLASS, LeaseLost, fence, lease_stream
from gateway.ledger.ledger import Ledger
from tests.kit.covers import covers
from tests.ledger.accounts import CATALOG, cause, deposit


@covers("INV-22")
async def test_a_lease_is_held_by_one_and_passes_on_with_a_higher_epoch(
    ledger: Ledger, database: str
) -> None:
    async with Ledger.opened(database, CATALOG, build="standby") as standby:
        waiting = standby.lease("releaser", "two", cause())
        async with ledger.lease("releaser", "one", cause()) as lease:
            assert (lease.epoch, lease.held) == (1, True)
            taking = asyncio.create_task(waiting.__aenter__())
            await asyncio.sleep(0.8)
            assert not taking.done()
            async with ledger.lease("sealer", "one", cause()) as other:
                assert other.epoch == 1
        assert not lease.held
        async with asyncio.timeout(3):
            taken = await taking
        assert (taken.epoch, taken.held) == (2, True)
        await waiting.__aexit__(None, None, None)


@covers("INV-22", "FM:F-150")
async def test_who_lost_the_lease_is_told_and_fenced(ledger: Ledger, database: str) -> None:
    stream = lease_stream("releaser")

    def decide_under(epoch: int) -> object:
        def decide(states: States) -> Decision:
            fence(states, "releaser", epoch)
            return deposit("account-a")(states)

        return decide

    async def act(epoch: int) -> None:
        await ledger.writer.change([stream, "account-a"], decide_under(epoch), cause())  # type: ignore[arg-type]

    async with ledger.lease("releaser", "one", cause()) as lease:
        await act(lease.epoch)
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = %s",
                (LOCK_CLASS,),
            )
        async with asyncio.timeout(5):
            await lease.lost.wait()
        async with ledger.lease("releaser", "two", cause()) as newer:
            with pytest.raises(LeaseLost):
                await act(lease.epoch)
            await act(newer.epoch)


async def test_nobody_acts_under_a_lease_that_was_never_taken(ledger: Ledger) -> None:
    def decide(states: States) -> Decision:
        fence(states, "releaser", None)
        return Decision()

    with pytest.raises(LeaseLost):
        await ledger.writer.change([lease_stream("releaser")], decide, cause())
