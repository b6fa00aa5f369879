"""Decisions are serial, durable, and nobody's trouble but their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.catalog_types import UnknownStream
from gateway.ledger.decision import Decision, InboxResult, NotAsked, States
from gateway.ledger.envelope import Uncommitted
from gateway.ledger.ledger import Ledger
from tests.kit.covers import covers
from tests.ledger.accounts import (
    ALICE,
    CATALOG,
    Account,
    Deposited,
    LimitReached,
    Noted,
    Notes,
    Opened,
    cause,
    close,
    deposit,
    note,
    open_account,
    switch,
)

A, B = "account-a", "account-b"


@covers("INV-25")
async def test_what_was_decided_is_recorded_with_its_envelope(ledger: Ledger) -> None:
    why = cause("command-1", causation_position=None, lease_epoch=7)
    change = await ledger.writer.change([A], deposit(A, 5, times=2), why)
    first, second = await ledger.log.stream(A)
    assert change.events == (first, second)
    assert (first.position, second.position, change.position) == (1, 2, 2)
    assert (first.version, second.version) == (1, 2)
    assert (first.name, first.schema_version) == ("account.deposited", 2)
    assert (first.command_id, first.command_index, second.command_index) == ("command-1", 0, 1)
    assert (first.actor, first.source, first.lease_epoch, first.build) == (ALICE, "api", 7, "test")
    assert first.event == Deposited(amount=Decimal(5))
    assert first.body == b'{"amount":"5","reference":null}'
    assert first.occurred_at == why.occurred_at
    assert datetime.now(UTC) - first.recorded_at < timedelta(minutes=1)
    assert change.states[A] == Account(deposits=2, balance=Decimal(10))
    assert not change.replayed


async def test_an_event_may_have_occurred_at_another_time_than_its_cause(ledger: Ledger) -> None:
    then = datetime(2020, 2, 29, 12, tzinfo=UTC)
    event = Uncommitted(stream=A, event=Deposited(amount=Decimal(1)), occurred_at=then)
    change = await ledger.writer.change([A], lambda states: Decision(events=(event,)), cause())
    assert change.events[0].occurred_at == then


async def test_the_events_of_one_append_share_one_instant(ledger: Ledger) -> None:
    change = await ledger.writer.change([A], deposit(A, times=3), cause())
    recorded_at = {event.recorded_at for event in change.events}
    assert len(recorded_at) == 1
    assert await ledger.log.position_at(recorded_at.pop()) == 3


async def test_a_refusal_concerns_its_caller_alone(ledger: Ledger) -> None:
    await ledger.writer.change([A], open_account(A, limit=3), cause())
    answers = await asyncio.gather(
        *(ledger.writer.change([A], deposit(A), cause()) for _ in range(10)),
        ledger.writer.change([B], deposit(B), cause()),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers].count(LimitReached) == 7
    assert not isinstance(answers[-1], BaseException)
    assert (await ledger.load(A))[0].deposits == 3


async def test_a_refused_command_leaves_nothing_behind(ledger: Ledger) -> None:
    def spoil(states: States) -> Decision:
        events = (
            Uncommitted(stream=A, event=Deposited(amount=Decimal(1))),
            Uncommitted(stream=B, event=object()),
        )
        return Decision(events=events)

    with pytest.raises(KeyError):
        await ledger.writer.change([A, B], spoil, cause())
    assert await ledger.load(A) == (None, 0)
    assert await ledger.log.head() == 0


async def test_a_decision_may_neither_read_nor_write_a_stream_it_did_not_name(ledger: Ledger) -> None:
    with pytest.raises(NotAsked):
        await ledger.writer.change([A], deposit(B), cause())
    event = Uncommitted(stream=B, event=Deposited(amount=Decimal(1)))
    with pytest.raises(NotAsked):
        await ledger.writer.change([A], lambda states: Decision(events=(event,)), cause())
    with pytest.raises(NotAsked):
        await ledger.writer.change([A], lambda states: Decision(events=states.history(A)), cause())  # type: ignore[arg-type]
    with pytest.raises(UnknownStream):
        await ledger.writer.change(["nonsense-1"], deposit(A), cause())


async def test_a_command_id_is_recorded_once_and_echoed_after(ledger: Ledger) -> None:
    first = await ledger.writer.change([A], deposit(A, 5), cause("same"))
    again = await ledger.writer.change([A], deposit(A, 5), cause("same"))
    assert again.replayed
    assert again.events == first.events
    assert again.position == first.position
    assert (await ledger.load(A))[0].balance == 5


async def test_the_same_command_twice_in_one_batch_is_recorded_once(ledger: Ledger) -> None:
    changes = await asyncio.gather(
        *(ledger.writer.change([A], deposit(A, 5), cause("same")) for _ in range(5))
    )
    assert sorted(change.replayed for change in changes) == [False, True, True, True, True]
    assert len({change.events for change in changes}) == 1
    assert await ledger.log.head() == 1


@covers("FM:F-030")
async def test_a_command_another_process_recorded_is_echoed_with_the_newest_state(
    ledger: Ledger, database: str
) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        first = await other.writer.change([A], deposit(A, 5), cause("same"))
        await other.writer.change([A], deposit(A, 6), cause())
    again = await ledger.writer.change([A], deposit(A, 5), cause("same"))
    assert again.replayed
    assert again.events == first.events
    assert again.states[A].balance == 11


async def test_a_stream_thought_new_that_exists_is_decided_on_as_it_is(ledger: Ledger, database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        await other.writer.change([A], open_account(A, limit=1), cause())
        await other.writer.change([A], deposit(A), cause())
        await other.writer.change(["notes"], note("x"), cause())
        await other.writer.change([A], close(A), cause())
    async with Ledger.opened(database, CATALOG, build="late") as late:
        with pytest.raises(LimitReached):
            await late.writer.change([], deposit(A), cause(), new=[A])
        change = await late.writer.change([], note("y"), cause(), new=["notes"])
        assert change.states["notes"] == Notes(count=2)


async def test_no_events_is_an_answer_too_at_the_head_it_was_decided_at(
    ledger: Ledger, database: str
) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        await other.writer.change([A], open_account(A), cause())
    change = await ledger.writer.change([A], open_account(A), cause())
    assert (change.events, change.position) == ((), 1)
    assert change.states[A] == Account()


async def test_a_refusal_is_never_decided_on_a_stale_state(ledger: Ledger, database: str) -> None:
    await ledger.writer.change([A], open_account(A, limit=1), cause())
    await ledger.writer.change([A], deposit(A), cause())
    async with Ledger.opened(database, CATALOG, build="other") as other:
        raised = Uncommitted(stream=A, event=Opened(limit=99, opened_at=datetime.now(UTC)))
        await other.writer.change([A], lambda states: Decision(events=(raised,)), cause())
    change = await ledger.writer.change([A], deposit(A), cause())
    assert change.states[A].deposits == 1


async def test_history_is_every_event_up_to_the_state_decided_on(ledger: Ledger, database: str) -> None:
    seen: list[tuple[int, int]] = []

    def look_back(states: States) -> Decision:
        history = states.history(A)
        seen.append((len(history), states.version(A)))
        return deposit(A)(states)

    await ledger.writer.change([A], deposit(A, times=3), cause())
    async with Ledger.opened(database, CATALOG, build="other") as other:
        await other.writer.change([A], deposit(A, times=2), cause())
    await asyncio.gather(
        *(ledger.writer.change([], look_back, cause(), history=[A]) for _ in range(4)),
        ledger.writer.change([A], deposit(A), cause()),
    )
    assert all(length == version for length, version in seen)
    assert (await ledger.load(A))[1] == 10


async def test_what_one_caller_sends_cannot_spoil_the_batch_of_others(ledger: Ledger) -> None:
    answers = await asyncio.gather(
        *(ledger.writer.change([A], deposit(A), cause()) for _ in range(5)),
        ledger.writer.change([A], deposit(A), cause(correlation_id="nul \0 byte")),
        ledger.writer.change([A], deposit(A), cause(correlation_id="lone surrogate \ud800")),
        return_exceptions=True,
    )
    assert [isinstance(answer, Exception) for answer in answers] == [False] * 5 + [True] * 2
    assert (await ledger.load(A))[0].deposits == 5


async def test_a_result_for_a_message_nobody_kept_is_its_callers_mistake_alone(ledger: Ledger) -> None:
    unknown = Decision(inbox=InboxResult(inbox_id=404, disposition="applied"))
    mistaken, fine = await asyncio.gather(
        ledger.writer.change([], lambda states: unknown, cause()),
        ledger.writer.change([A], deposit(A), cause()),
        return_exceptions=True,
    )
    assert isinstance(mistaken, psycopg.errors.ForeignKeyViolation)
    assert not isinstance(fine, BaseException)


async def test_one_caller_that_gives_up_does_not_disturb_the_others(ledger: Ledger) -> None:
    tasks = [asyncio.create_task(ledger.writer.change([A], deposit(A), cause())) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(kept) == 10
    assert len({change.position for change in kept}) == 10
    assert await ledger.log.head() == (await ledger.load(A))[0].deposits


@covers("FM:F-021")
async def test_a_full_queue_is_unavailable_at_once(database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        ledger.writer._room = 3
        answers = await asyncio.gather(
            *(ledger.writer.change([A], deposit(A), cause()) for _ in range(10)), return_exceptions=True
        )
    refused = [answer for answer in answers if isinstance(answer, LedgerUnavailable)]
    assert len(refused) == 7


async def test_a_closed_ledger_is_unavailable(database: str) -> None:
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        pass
    with pytest.raises(LedgerUnavailable):
        await ledger.writer.change([A], deposit(A), cause())


async def test_the_broker_reference_and_the_inbox_result_are_in_the_same_append(
    ledger: Ledger, database: str
) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"{}", datetime.now(UTC))

    def decide(states: States) -> Decision:
        events = deposit(A, reference="broker-1")(states).events
        return Decision(events=events, inbox=InboxResult(inbox_id=inbox_id, disposition="applied"))

    change = await ledger.writer.change([A], decide, cause())
    assert await ledger.log.order_ref("broker-1") == "a"
    assert await ledger.log.order_ref("broker-2") is None
    with psycopg.connect(database) as connection:
        result = connection.execute(
            "select inbox_id, attempt, disposition, position from ledger.inbox_result"
        )
        assert result.fetchall() == [(inbox_id, 1, "applied", change.position)]
    assert await ledger.inbox.pending() == []


async def test_an_inbox_result_may_stand_without_events_even_in_an_empty_ledger(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"{}", datetime.now(UTC))
    result = InboxResult(inbox_id=inbox_id, disposition="duplicate")
    change = await ledger.writer.change([], lambda states: Decision(inbox=result), cause())
    assert change.position == 0
    assert await ledger.inbox.pending() == []


async def test_the_desk_in_a_decision_shows_what_the_batch_decided_before(ledger: Ledger) -> None:
    seen: list[list[str]] = []

    def decide(stream: str) -> object:
        def look(states: States) -> Decision:
            seen.append(sorted(name for name, _ in states.desk.live("account-")))
            return open_account(stream)(states)

        return look

    await asyncio.gather(*(ledger.writer.change([s], decide(s), cause()) for s in (A, B)))  # type: ignore[arg-type]
    assert seen[-1] == [A]
    assert sorted(name for name, _ in ledger.desk.live("account-")) == [A, B]
    await ledger.writer.change([A], close(A), cause())
    assert [name for name, _ in ledger.desk.live("account-")] == [B]


async def test_the_desk_shows_what_other_processes_did_once_it_caught_up(
    ledger: Ledger, database: str
) -> None:
    async with Ledger.opened(database, CATALOG, build="other") as other:
        await other.writer.change([A], open_account(A), cause())
        await other.writer.change(["switch-x"], switch("switch-x", on=True), cause())
    await ledger.writer.look([])
    assert [name for name, _ in ledger.desk.live("account-")] == [A]
    assert ledger.desk.state("switch-x").on


@covers("FC:G-05", "FM:F-128")
async def test_positions_are_gapless_after_refusals_and_failures(ledger: Ledger) -> None:
    await ledger.writer.change([A], open_account(A, limit=50), cause())
    await asyncio.gather(
        *(ledger.writer.change([A], deposit(A), cause()) for _ in range(120)),
        *(ledger.writer.change(["notes"], note(str(i)), cause(f"c-{i % 30}")) for i in range(60)),
        return_exceptions=True,
    )
    positions = [event.position for event in await ledger.log.read(0, 1000)]
    assert positions == list(range(1, 1 + 50 + 30 + 1))


async def test_an_event_that_could_not_be_read_back_is_refused_at_the_door(ledger: Ledger) -> None:
    crooked = Noted(text=5)  # type: ignore[arg-type]
    event = Uncommitted(stream="notes", event=crooked)
    with pytest.raises(ValueError, match="read back"):
        await ledger.writer.change(["notes"], lambda states: Decision(events=(event,)), cause())
    assert await ledger.log.head() == 0
