"""The examination of the database: what it lets pass, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from gateway.adapters.embedded import EmbeddedPostgres
from gateway.adapters.examine import Finding, examine_postgres
from gateway.ledger import migrate


def tell(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def as_login(url: str, login: str) -> str:
    return url.replace("//gateway@", f"//{login}@")


async def complaints(url: str, *, owner_may_run: bool = True) -> dict[str, Finding]:
    findings = await examine_postgres(url, newest=migrate.newest(), owner_may_run=owner_may_run)
    return {finding.subject: finding for finding in findings if not finding.ok}


@pytest.fixture
def stranger(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A login that is a member of nothing."""
    name = f"stranger_{uuid4().hex[:8]}"
    tell(postgres.url(), f"create role {name} login")
    yield name
    tell(postgres.url(), f"drop role {name}")


async def test_a_migrated_database_is_as_it_should_be(database: str) -> None:
    findings = await examine_postgres(database, newest=migrate.newest(), owner_may_run=True)
    assert [finding.subject for finding in findings if finding.ok] == [
        "database",
        "connection",
        "durability",
        "migrations",
        "login",
        "grants",
        "triggers",
    ]


async def test_the_login_of_the_application_may_run(database: str) -> None:
    assert await complaints(as_login(database, "ledger_app"), owner_may_run=False) == {}


async def test_a_login_that_owns_the_ledger_may_not_run_where_it_matters(database: str) -> None:
    found = await complaints(database, owner_may_run=False)
    assert found.keys() == {"login"}
    assert "could change the ledger" in found["login"].message


async def test_a_login_that_is_a_member_of_nothing_is_told_what_it_lacks(
    database: str, stranger: str
) -> None:
    tell(
        database,
        f"grant usage on schema public, ledger to {stranger}",
        f"grant select on alembic_version to {stranger}",
    )
    found = await complaints(as_login(database, stranger))
    tell(database, f"drop owned by {stranger}")
    assert found["login"].what_to_do == f"as the owner: grant ledger_app to {stranger}"


async def test_a_database_that_does_not_answer_is_one_finding() -> None:
    found = await complaints("postgresql://nobody@127.0.0.1:1/none")
    assert found.keys() == {"database"}
    assert found["database"].what_to_do


async def test_an_empty_database_wants_migrating(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("empty")
    found = await complaints(postgres.url("empty"))
    postgres.drop_database("empty")
    assert found.keys() == {"migrations"}
    assert "at nothing" in found["migrations"].message


async def test_a_database_that_answers_before_it_has_written_is_found(database: str) -> None:
    name = database.rpartition("/")[2].partition("?")[0]
    tell(database, f"alter database {name} set synchronous_commit = off")
    found = await complaints(database)
    assert found.keys() == {"durability"}
    assert found["durability"].message.startswith("synchronous_commit is off")


@pytest.mark.parametrize("right", ["update", "delete", "truncate", "update (body)"])
async def test_a_right_to_change_events_is_found(database: str, right: str) -> None:
    tell(database, f"grant {right} on ledger.events to ledger_app")
    found = await complaints(database)
    assert found.keys() == {"grants"}
    assert found["grants"].message == "ledger_app may change events"


@pytest.mark.parametrize(
    "tampering",
    [
        "alter table ledger.inbox disable trigger no_change",
        "alter table ledger.inbox enable trigger no_truncate",
        "drop trigger no_truncate on ledger.inbox",
    ],
)
async def test_a_guard_that_was_weakened_is_found(database: str, tampering: str) -> None:
    tell(database, tampering)
    found = await complaints(database)
    assert found.keys() == {"triggers"}
    assert "inbox" in found["triggers"].message
