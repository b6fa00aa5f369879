"""The library's Postgres recorder on our table: its reads, notification log and subscriptions work unchanged.

The writer is the only one to append in production; this appends through the same function.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from gateway.ledger.store import WRITER_LOCK

EVENTS_TABLE: Final = "stored_events"
"""The view over `ledger.events` under the library's names; also the channel of NOTIFY."""

HEAD: Final = "select coalesce(max(position), 0) as head from ledger.events"
LOCK: Final = f"select pg_advisory_xact_lock({WRITER_LOCK})"
APPEND: Final = "select inserted from ledger.append(%s, %s, null, null, null)"


class LedgerRecorder(PostgresApplicationRecorder):
    """Appends under the ledger's lock, and does not repeat an append whose answer was lost."""

    def create_table(self) -> None:
        """The migrations own every table."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Raises IntegrityError where a version is taken, OperationalError where the lock is."""
        if not stored_events:
            return []
        with self.datastore.get_connection() as connection, connection.transaction():
            connection.execute(LOCK)
            head = connection.execute(HEAD).fetchone()
            assert head is not None, "an aggregate always has a row"
            rows = _rows(stored_events, after=head["head"])
            appended = connection.execute(APPEND, (head["head"], json.dumps(rows))).fetchone()
            assert appended is not None and appended["inserted"], "nobody can append while we hold the lock"
        return [row["position"] for row in rows]


def _rows(stored_events: Sequence[StoredEvent], *, after: int) -> list[dict[str, Any]]:
    command_id = f"library-{uuid4().hex}"
    return [
        {
            "position": after + 1 + index,
            "stream": str(event.originator_id),
            "version": event.originator_version,
            "topic": event.topic,
            "body": event.state.decode(),
            "occurred_at": "now",
            "actor": "library",
            "actor_kind": "system",
            "command_id": command_id,
            "command_index": index,
            "correlation_id": command_id,
            "source": "system",
            "build": "library",
        }
        for index, event in enumerate(stored_events)
    ]
