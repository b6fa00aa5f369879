"""Any order, any mix of doors, any repetition: the ledger ends with what the exchange's own books say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests.kit.covers import covers
from tests.kit.exchange import Exchange
from tests.proof.cases import Case, plainly, tellings
from tests.proof.hand import Hand, Held
from tests.proof.lives import Life, live
from tests.proof.office import Office

AT_ONCE = 48
KILLS = 4
SHORT, LONG, KILLED = range(100, 112), range(200, 212), range(300, 306)
"""Seeds of lives told in every order, of longer ones told in some, and of those a killed clerk tells."""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    process = Exchange.start(tmp_path_factory.mktemp("exchange"))
    yield process
    process.stop()


async def told(hand: Hand, case: Case) -> Held:
    await hand.submit(case)
    for delivery in case.told:
        await hand.deliver(delivery)
    return await hand.held(case)


async def all_told(hand: Hand, cases: Sequence[Case]) -> list[Held]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Held:
        async with room:
            return await told(hand, case)

    return await asyncio.gather(*(one(case) for case in cases))


def books(life: Life) -> tuple[object, ...]:
    """Quantities of orders, executions, shares and money, as the exchange has them."""
    signed = [
        Decimal(each["qty"]) * (1 if each["side"] == "buy" else -1) * Decimal(each["price"])
        for each in life.executions
    ]
    return (
        tuple(Decimal(order["filled_qty"]) for order in life.orders),
        sorted((Decimal(each["qty"]), Decimal(each["price"])) for each in life.executions),
        Decimal(life.held),
        sum(signed, Decimal(0)),
    )


def ours(held: Held) -> tuple[object, ...]:
    return (
        tuple(Decimal(executed) for _, executed, _ in held.orders),
        sorted((Decimal(qty), Decimal(price)) for qty, price in held.trades),
        Decimal(held.qty),
        Decimal(held.spent),
    )


async def straight(hand: Hand, lives: Sequence[Life]) -> dict[int, Held]:
    """What the ledger holds of each life when it is told as it happened; the books of the exchange."""
    held = {life.seed: await told(hand, plainly(life)) for life in lives}
    for life in lives:
        assert ours(held[life.seed]) == books(life), life
    return held


def differing(cases: Sequence[Case], ends: Sequence[Held], expected: dict[int, Held]) -> list[str]:
    return [
        f"{case}\n  {held}\n  {expected[case.seed]}"
        for case, held in zip(cases, ends, strict=True)
        if held != expected[case.seed]
    ]


@covers("INV-19", "INV-32")
@pytest.mark.timeout(300)
async def test_every_telling_of_a_life_ends_in_the_books_of_the_exchange(
    exchange: Exchange, database: str
) -> None:
    """Permutations, repetitions and mixes of sources of the same facts are the same."""
    lives = [live(exchange, seed, 3) for seed in SHORT] + [live(exchange, seed, 9) for seed in LONG]
    async with Hand.at(database) as hand:
        expected = await straight(hand, lives)
        cases = [case for life in lives for case in tellings(life, 30)]
        assert differing(cases, await all_told(hand, cases), expected) == []
    assert len(cases) > 500


@covers("INV-03", "INV-04", "FM:F-081")
@pytest.mark.timeout(300)
async def test_a_clerk_killed_again_and_again_ends_in_the_same_books(
    exchange: Exchange, database: str, tmp_path: Path
) -> None:
    """Kill -9 between inbox and append, and in the middle of an append."""
    lives = [live(exchange, seed, 9) for seed in KILLED]
    cases = [case for life in lives for case in tellings(life, 12)]
    async with Hand.at(database) as hand:
        expected = await straight(hand, lives)
    office = Office(database, tmp_path / "errands.json", cases)
    assert office.run(Random("kills"), kills=KILLS) == KILLS
    assert office.found_in_the_inbox > 0
    async with Hand.at(database) as hand:
        ends = [await hand.held(case) for case in cases]
    assert differing(cases, ends, expected) == []
