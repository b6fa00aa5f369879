"""A pass that ends anywhere in the middle is done again, and nothing of it stands twice."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.aggregates.vocabulary import position_stream
from tests.contract.steps import fill_at_exchange, reconcile, resting_order, streams_written_after, traded
from tests.kit.covers import covers
from tests.kit.house import House

STEPS = ("sweep", "backfill", "activities", "judge")


class Killed(Exception):
    """Stands for kill -9: nothing of the pass runs after it."""


class Dying:
    """One part of a pass that does its work, and then the process is gone."""

    def __init__(self, part: Any) -> None:
        self._part = part

    async def __call__(self, *args: Any, **named: Any) -> None:
        await self._part(*args, **named)
        raise Killed

    async def run(self, **named: Any) -> None:
        await self._part.run(**named)
        raise Killed


@covers("FM:F-110", "INV-30")
@pytest.mark.parametrize("step", STEPS)
async def test_what_a_dead_pass_left_undone_the_next_one_does_and_no_more(house: House, step: str) -> None:
    await traded(house, "buy", "100", "90", name="held")
    order = await resting_order(house, client_order_id="missed")
    await house.gateway.background.stop("reconciliation")
    house.exchange.arm("ws.lose", times=-1)
    fill_at_exchange(house, order, "10", "80")
    house.exchange.ctl("POST", "split", {"symbol": "AAPL", "ratio": "2"})
    one_pass = house.gateway.reconciler.one_pass
    part = getattr(one_pass, step)
    setattr(one_pass, step, Dying(part))
    with pytest.raises(Killed):
        await one_pass.run()
    setattr(one_pass, step, part)
    assert (await reconcile(house))["breaks_open"] == 0
    position, _ = await house.gateway.ledger.load(position_stream("AAPL"))
    assert (position.qty, position.account.cost) == (220, 9800)
    assert len(await house.gateway.ledger.log.read(0, 1000, name="position.split")) == 1
    assert len(await house.gateway.ledger.log.read(0, 1000, name="order.filled")) == 2
    before = await house.gateway.ledger.log.head()
    await reconcile(house)
    assert await streams_written_after(house, before) <= {"recon-gate"}
