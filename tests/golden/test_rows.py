"""Every row of the list of order-state scenarios, fed in up to three ways that agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from gateway.aggregates.reports import ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import ReportSource
from gateway.ledger.ledger import Ledger
from tests.golden.books import ENDS
from tests.golden.broker import Fact, ScriptedBroker
from tests.golden.conftest import Town
from tests.golden.story import FOLDER, Step, Story, read
from tests.golden.straight import Straight
from tests.golden.street import Street

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAST: Final = {"A": 3, "B": 9, "C": 7, "D": 8, "E": 6, "F": 7, "G": 4, "H": 6, "I": 3, "J": 9, "K": 2, "L": 4}
ROWS: Final = [f"GT-{letter}{number}" for letter, last in LAST.items() for number in range(1, last + 1)]
STORIES: Final = {row: read(row) for row in ROWS if (FOLDER / f"{row}.yaml").exists()}
SHUFFLES: Final = 6
FIRST: Final = ("submit", "cancel", "prove_absent")
"""What we do before anything is heard when reports come in any order; the rest comes after them."""


PUSHED: Final = (ReportSource.STREAM, ReportSource.WEBHOOK)
SAMPLED: Final = (*PUSHED, ReportSource.LOOKUP, ReportSource.RECONCILIATION)
DOORS: Final = {
    ReportKind.TRADE: (*SAMPLED, ReportSource.ACTIVITY),
    ReportKind.STATUS: SAMPLED,
    ReportKind.CANCEL_REJECTED: PUSHED,
    ReportKind.REPLACE_REJECTED: PUSHED,
    ReportKind.BUST: PUSHED,
    ReportKind.CORRECT: PUSHED,
}
"""Sources that can carry a report."""


def rows_fed(way: str) -> list[str]:
    return [row for row in STORIES if fed(row, way)]


def fed(row: str, way: str) -> list[Story]:
    return [story for story in STORIES[row] if way in story.feed]


async def test_every_row_of_the_list_has_its_file_and_no_file_is_beside_it() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(ROWS)


@pytest.mark.parametrize("row", rows_fed("a"))
async def test_told_straight_every_step_shows_what_the_row_says(ledger: Ledger, row: str) -> None:
    for story in fed(row, "a"):
        await told(Straight(ledger, story, f"A{story.name}"), story)


async def told(feed: Straight | Street, story: Story) -> None:
    for step in story.steps:
        place = f"{story.name}, step {step.number}"
        before = len(await feed.books.written())
        assert await feed.take(step) == step.answers, place
        assert await shown(feed, step) == step.shows, place
        written = len(await feed.books.written()) - before
        assert step.records in (None, written), place
    for name, value in story.ends.items():
        found = await feed.end(name)
        if name == "recorded":
            found = {event: found[event] for event in value}
        assert found == value, f"{story.name}, {name} at the end"


async def shown(feed: Straight | Street, step: Step) -> dict[str, object] | None:
    """What is shown, as soon as it is what the step says; nothing for a step that does not say."""
    if step.shows is None:
        return None
    give_up = time.monotonic() + feed.patience
    while True:
        asked = {name: await feed.end(name) for name in step.shows if name in ENDS}
        shows = await feed.shows() | asked
        if shows == step.shows or time.monotonic() > give_up:
            return shows
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("row", rows_fed("c"))
async def test_any_order_any_repetition_and_any_source_end_the_same(ledger: Ledger, row: str) -> None:
    for story in fed(row, "c"):
        straight = Straight(ledger, story, f"C{story.name}")
        await told(straight, story)
        money = await straight.books.money()
        desks = await asyncio.gather(*(told_anyhow(ledger, story, seed) for seed in range(SHUFFLES)))
        for seed, desk in enumerate(desks):
            assert at_the_end(await desk.shows()) == at_the_end(story.last_shown), (story.name, seed)
            assert await desk.books.money() == money, (story.name, seed)


async def told_anyhow(ledger: Ledger, story: Story, seed: int) -> Straight:
    chance = Random(f"{story.name}/{seed}")
    desk = Straight(ledger, story, f"C{seed}{story.name}")
    broker = ScriptedBroker(story=story, tag=desk.tag)
    facts = facts_of(story, broker)
    for step in story.steps:
        if step.ours and step.verb in FIRST:
            await desk.take(step)
    desk.broker.orders, desk.broker.hidden = broker.orders, False
    reports = [fact for fact in facts if isinstance(fact, ExecutionReport)]
    told = [report for report in reports for _ in range(chance.randint(1, 3))]
    for report in chance.sample(told, len(told)):
        await desk.hear(replace(report, source=chance.choice(DOORS[report.kind])))
    for fact in facts:
        if not isinstance(fact, ExecutionReport):
            await desk.hear(fact)
    for step in story.steps:
        if step.ours and step.verb not in FIRST:
            await desk.take(step)
    return desk


def facts_of(story: Story, broker: ScriptedBroker) -> list[Fact]:
    """What the broker says in a story, with its ids and times, in the order of the story."""
    facts = []
    for step in story.steps:
        if not step.ours:
            facts.append(broker.tell(step))
        elif step.verb == "submit":
            broker.answer(step)
    return facts


def at_the_end(shows: Mapping[str, Any]) -> dict[str, Any]:
    """What is realized depends on the order of booking; the money does not."""
    return {name: value for name, value in shows.items() if name != "realized" and name not in ENDS}


@pytest.mark.parametrize("row", rows_fed("b"))
async def test_through_a_running_gateway_every_step_shows_what_the_row_says(town: Town, row: str) -> None:
    for story in fed(row, "b"):
        street = await town.street(story)
        try:
            await told(street, story)
        finally:
            await street.stage.leave()
