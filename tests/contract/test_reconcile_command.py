"""`gateway reconcile`: a pass of a running gateway, asked for at a terminal."""

from __future__ import annotations

import asyncio

from typer.testing import CliRunner, Result

from gateway.__main__ import app
from tests.contract.steps import fill_at_exchange, resting_order, told
from tests.contract.test_breaks import endow, position_break
from tests.kit.house import House
from tests.kit.served import served


async def reconcile(house: House, *arguments: str, token: str | None = None) -> Result:
    async with served(house) as url:
        command = ["reconcile", "--url", url, "--token", token or house.token(), *arguments]
        return await asyncio.to_thread(CliRunner().invoke, app, command)


async def test_a_pass_that_finds_nothing_ends_well(house: House) -> None:
    shown = await reconcile(house)
    assert shown.exit_code == 0, shown.output
    assert "0 orphans found" in shown.stdout


async def test_a_shadow_pass_tells_what_it_would_record_and_records_nothing(house: House) -> None:
    house.exchange.arm("ws.lose", times=-1)
    order = await resting_order(house)
    fill_at_exchange(house, order, "10", "90")
    shown = await reconcile(house, "--shadow")
    assert shown.exit_code == 0, shown.output
    assert "would record:" in shown.stdout
    assert await told(house, order["client_order_id"], "order.filled") == []


async def test_a_pass_that_leaves_a_break_open_fails(house: House) -> None:
    endow(house, "50", "120")
    await position_break(house)
    shown = await reconcile(house)
    assert shown.exit_code == 1
    assert "ledger and broker do not agree" in shown.stderr


async def test_a_gateway_of_another_installation_says_so(house: House) -> None:
    shown = await reconcile(house, token="not-a-token")
    assert shown.exit_code == 1
    assert "does not know the key of this installation" in shown.stderr


async def test_whoever_may_not_reconcile_is_told_why(house: House) -> None:
    shown = await reconcile(house, token=house.token("viewer"))
    assert shown.exit_code == 1
    assert "the gateway answered 403" in shown.stderr
