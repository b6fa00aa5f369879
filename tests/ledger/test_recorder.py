"""The library's own test cases, run against our recorder where they apply."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing import cryptography
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from gateway.ledger.recorder import EVENTS_TABLE, LedgerRecorder

# The cases import a cipher they do not use here, from a library we do not have; this one does the same.
sys.modules.setdefault("eventsourcing.cipher", cryptography)
from eventsourcing.tests.persistence import (  # noqa: E402
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)


@pytest.fixture
def datastore(database: str) -> Iterator[PostgresDatastore]:
    given = conninfo_to_dict(database)
    datastore = PostgresDatastore(
        str(given["dbname"]),
        str(given["host"]),
        str(given.get("port", "5432")),
        "ledger_app",
        "",
        pool_size=12,
        schema="ledger",
        originator_id_type="text",
    )
    yield datastore
    datastore.close()


class OverOurTable(TestCase):
    """Gives the library's cases text ids, our recorder, and the fixture's database."""

    INITIAL_VERSION = 1

    @pytest.fixture(autouse=True)
    def _use(self, datastore: PostgresDatastore) -> None:
        self.datastore = datastore

    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore, events_table_name=EVENTS_TABLE)

    def new_originator_id(self) -> str:
        return f"thing-{uuid4()}"


class TestApplicationRecorder(OverOurTable, ApplicationRecorderTestCase[LedgerRecorder]):
    """Inserting, selecting, notifications, subscriptions, concurrency."""


class TestNotificationIds(OverOurTable, NonInterleavingNotificationIDsBaseCase):
    """Ids of one append are contiguous whoever else appends."""


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase, OverOurTable


def test_the_recorder_may_not_create_tables(datastore: PostgresDatastore) -> None:
    assert LedgerRecorder(datastore, events_table_name=EVENTS_TABLE).create_table() is None  # type: ignore[func-returns-value]


def test_appends_of_many_threads_are_numbered_without_a_gap(datastore: PostgresDatastore) -> None:
    recorder = LedgerRecorder(datastore, events_table_name=EVENTS_TABLE)

    def append(number: int) -> list[int]:
        event = StoredEvent(f"thing-{number}", 1, "thing.happened.v1", b"{}")
        return list(recorder.insert_events([event]) or [])

    with ThreadPoolExecutor(8) as threads:
        positions = sorted(chain.from_iterable(threads.map(append, range(100))))
    assert positions == list(range(1, 101))
