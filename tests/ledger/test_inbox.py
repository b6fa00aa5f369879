"""Messages are kept as they came, and what became of them stands beside."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg

from gateway.ledger.ledger import Ledger

RECEIVED_AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


async def test_a_message_is_kept_byte_for_byte(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b'\xff{"a": 1.10}', RECEIVED_AT, {"X-Id": "7"})
    (message,) = await ledger.inbox.pending()
    assert (message.inbox_id, message.source, message.raw) == (inbox_id, "webhook", b'\xff{"a": 1.10}')
    assert (message.received_at, message.headers) == (RECEIVED_AT, {"X-Id": "7"})


async def test_a_settled_message_is_not_pending_any_more(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"{}", RECEIVED_AT)
    await ledger.inbox.settle(inbox_id, "duplicate")
    assert await ledger.inbox.pending() == []


async def test_what_became_of_a_message_is_added_and_never_changed(ledger: Ledger, database: str) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"?", RECEIVED_AT)
    await ledger.inbox.settle(inbox_id, "unparsed")
    await ledger.inbox.settle(inbox_id, "applied", 17)
    with psycopg.connect(database) as owner:
        results = owner.execute(
            "select attempt, disposition, position from ledger.inbox_result where inbox_id = %s"
            " order by attempt",
            (inbox_id,),
        ).fetchall()
    assert results == [(1, "unparsed", None), (2, "applied", 17)]


async def test_messages_are_listed_oldest_first_page_by_page(ledger: Ledger) -> None:
    ids = [await ledger.inbox.keep("poll", b"{}", RECEIVED_AT) for _ in range(5)]
    first = await ledger.inbox.pending(limit=3)
    second = await ledger.inbox.pending(after=first[-1].inbox_id, limit=3)
    assert [message.inbox_id for message in (*first, *second)] == ids


async def test_messages_kept_together_have_their_ids_in_the_order_they_came(ledger: Ledger) -> None:
    arrived = [(f"{number}".encode(), RECEIVED_AT) for number in range(50)]
    ids = await ledger.inbox.keep_all("stream", arrived)
    pending = await ledger.inbox.pending(limit=100)
    assert [(message.inbox_id, message.raw) for message in pending] == [
        (inbox_id, raw) for inbox_id, (raw, _) in zip(ids, arrived, strict=True)
    ]


async def test_only_what_was_said_last_of_a_message_keeps_it_aside(ledger: Ledger) -> None:
    first, second = [await ledger.inbox.keep("webhook", b"?", RECEIVED_AT) for _ in range(2)]
    for inbox_id in (first, second):
        await ledger.inbox.settle(inbox_id, "unparsed")
    assert await ledger.dead_letters.count() == 2
    assert await ledger.dead_letters.redrive([first]) == [first]
    assert [message.inbox_id for message in await ledger.dead_letters.asked_for()] == [first]
    assert [message.inbox_id for message in await ledger.dead_letters.listed()] == [second]
    await ledger.inbox.settle(first, "applied", 7)
    assert await ledger.dead_letters.asked_for() == []
    assert await ledger.dead_letters.redrive() == [second]
    assert await ledger.dead_letters.count() == 0


async def test_what_two_processes_say_of_a_message_at_once_does_not_fail_either(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"?", RECEIVED_AT)
    await asyncio.gather(*(ledger.inbox.settle(inbox_id, "unparsed") for _ in range(8)))
    assert len(await ledger.dead_letters.listed()) == 1
    asked = await asyncio.gather(*(ledger.dead_letters.redrive() for _ in range(8)))
    assert sum(map(len, asked)) == 1
    assert [message.inbox_id for message in await ledger.dead_letters.asked_for()] == [inbox_id]
