"""Messages are kept as they came, and what became of them stands beside."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.ledger.ledger import Ledger

RECEIVED_AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


async def test_a_message_is_kept_byte_for_byte(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b'\xff{"a": 1.10}', RECEIVED_AT, {"X-Id": "7"})
    (message,) = await ledger.inbox.pending()
    assert (message.inbox_id, message.source, message.raw) == (inbox_id, "webhook", b'\xff{"a": 1.10}')
    assert (message.received_at, message.headers) == (RECEIVED_AT, {"X-Id": "7"})
    assert (message.attempts, message.disposition) == (0, None)


async def test_a_settled_message_is_neither_pending_nor_dead(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"{}", RECEIVED_AT)
    await ledger.inbox.settle(inbox_id, "duplicate")
    assert await ledger.inbox.pending() == []
    assert await ledger.inbox.dead_letters() == []


async def test_the_newest_result_decides_whether_a_message_is_dead(ledger: Ledger) -> None:
    inbox_id = await ledger.inbox.keep("webhook", b"?", RECEIVED_AT)
    forgotten = await ledger.inbox.keep("stream", b"{}", RECEIVED_AT)
    await ledger.inbox.settle(inbox_id, "unparsed")
    await ledger.inbox.settle(inbox_id, "unparsed")
    dead = await ledger.inbox.dead_letters()
    assert [(m.inbox_id, m.attempts, m.disposition) for m in dead] == [
        (inbox_id, 2, "unparsed"),
        (forgotten, 0, None),
    ]
    await ledger.inbox.settle(inbox_id, "applied", 17)
    assert [m.inbox_id for m in await ledger.inbox.dead_letters()] == [forgotten]


async def test_messages_are_listed_oldest_first_page_by_page(ledger: Ledger) -> None:
    ids = [await ledger.inbox.keep("poll", b"{}", RECEIVED_AT) for _ in range(5)]
    first = await ledger.inbox.pending(limit=3)
    second = await ledger.inbox.pending(after=first[-1].inbox_id, limit=3)
    assert [message.inbox_id for message in (*first, *second)] == ids
