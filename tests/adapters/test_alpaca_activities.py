"""Activities without a trade: read to their end, with every figure as it was written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.ports import BrokerUnreadable
from tests.adapters.said import without
from tests.adapters.talking import talking
from tests.adapters.wire import Asked, answer, message
from tests.kit.covers import covers

SINCE = datetime(2026, 11, 1, tzinfo=UTC)


def posting(number: int, **changes: Any) -> dict[str, Any]:
    """A dividend as the broker lists it."""
    return {
        "activity_type": "DIV",
        "activity_sub_type": "CDIV",
        "id": f"20261120100000000::{number}",
        "date": "2026-11-20",
        "created_at": "2026-11-20T15:00:00.120001Z",
        "net_amount": "1.02",
        "symbol": "T",
        "qty": "2",
        "per_share_amount": "0.51",
        "status": "executed",
        **changes,
    }


@covers("FC:E-06", "FC:D-08")
async def test_the_pages_are_followed_and_the_figures_kept() -> None:
    served = iter([[posting(n) for n in range(100)], [posting(99), posting(100, qty=None)]])

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(message(200, next(served)))

    async with talking(behave) as (broker, wire):
        found = await broker.activities(after=SINCE)
    tokens = [asked.query.get("page_token") for asked in wire.asked]
    assert (len(found), tokens) == (101, [None, "20261120100000000::99"])
    assert {asked.query["category"] for asked in wire.asked} == {"non_trade_activity"}
    one = found[0]
    assert (one.kind, one.sub_kind, one.symbol) == ("DIV", "CDIV", "T")
    assert one.at == datetime(2026, 11, 20, 15, 0, 0, 120001, tzinfo=UTC)
    assert (one.qty, one.per_share, one.net_amount) == (2, Decimal("0.51"), Decimal("1.02"))


async def test_one_with_a_date_alone_happened_on_that_date() -> None:
    async with talking(answer(200, [without(posting(1), "created_at")])) as (broker, _):
        (found,) = await broker.activities(after=SINCE)
    assert found.at == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "row",
    [
        without(posting(1), "id"),
        without(posting(1), "activity_type"),
        without(posting(1), "created_at", "date"),
        posting(1, qty="many"),
    ],
)
async def test_one_that_cannot_be_read_makes_the_list_unreadable(row: dict[str, Any]) -> None:
    async with talking(answer(200, [posting(0), row])) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.activities(after=SINCE)


async def test_a_page_that_repeats_itself_is_no_end() -> None:
    async with talking(answer(200, [posting(n) for n in range(100)])) as (broker, _):
        with pytest.raises(BrokerUnreadable):
            await broker.activities(after=SINCE)
