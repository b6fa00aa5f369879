"""Migrations run once, from any number of processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.ledger import migrate


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[str]:
    postgres.create_database("to_migrate")
    yield postgres.url("to_migrate")
    postgres.drop_database("to_migrate")


def test_an_empty_database_is_brought_to_the_newest_revision(empty: str) -> None:
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.newest()
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.newest()


def test_the_application_can_see_where_the_schema_stands(database: str) -> None:
    assert migrate.current(f"{database}&options=-c%20role%3Dledger_app") == migrate.newest()


def test_processes_that_start_together_migrate_once(empty: str) -> None:
    program = "import sys; from gateway.ledger import migrate; migrate.upgrade(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", program, empty]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert migrate.current(empty) == migrate.newest()
