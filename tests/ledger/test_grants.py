"""Append-only by grant and by trigger: every verb, every role, every table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from gateway.adapters.embedded import EmbeddedPostgres
from tests.kit.covers import covers

TABLES = ("events", "order_ref", "inbox", "inbox_result", "snapshots")
ROLES = ("ledger_app", "ledger_proj", "ledger_seal", "ledger_audit", "ledger_backup")
MAY_SELECT = {
    "ledger_app": TABLES,
    "ledger_proj": ("events",),
    "ledger_seal": ("events",),
    "ledger_audit": TABLES,
    "ledger_backup": TABLES,
}
INSERTS = {
    "events": """insert into ledger.events (position, stream, version, topic, body, occurred_at, actor,
        actor_kind, command_id, command_index, correlation_id, source, build)
        values ({position}, 's-1', 1, 'a.b.v1', '{{}}', now(), 'x', 'user', 'c', 0, 'c', 'api', 'b')""",
    "order_ref": "insert into ledger.order_ref values ('b', 'c')",
    "inbox": "insert into ledger.inbox (source, received_at, headers, raw) values ('s', now(), '{{}}', '')",
    "inbox_result": "insert into ledger.inbox_result (inbox_id, attempt, disposition) values (1, 1, 'x')",
    "snapshots": """insert into ledger.snapshots (stream, state_version, version, state)
        values ('s', 'v', 1, '')""",
}
CHANGES = {
    "update": "update ledger.{table} set {column} = {column}",
    "delete": "delete from ledger.{table}",
    "truncate": "truncate ledger.{table} cascade",
    "drop": "drop table ledger.{table} cascade",
    "alter": "alter table ledger.{table} add column more text",
    "disable": "alter table ledger.{table} disable trigger all",
    "lock": "lock table ledger.{table} in exclusive mode",
}
FIRST_COLUMN = {
    "events": "actor",
    "order_ref": "client_order_id",
    "inbox": "source",
    "inbox_result": "disposition",
    "snapshots": "state",
}


@pytest.fixture(scope="module")
def filled(postgres: EmbeddedPostgres, migrated: str) -> Iterator[str]:
    """The owner's URL of a database with a row in every table; tests roll back what they try."""
    name = "grants"
    postgres.create_database(name, template=migrated)
    with psycopg.connect(postgres.url(name)) as owner:
        for statement in INSERTS.values():
            owner.execute(statement.format(position=1))
    yield postgres.url(name)
    postgres.drop_database(name)


def attempt(url: str, role: str | None, statement: str) -> type[Exception] | None:
    """The error a statement meets in a transaction that is rolled back."""
    with psycopg.connect(url) as connection:
        if role is not None:
            connection.execute(f"set role {role}")
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            return type(error)
        finally:
            connection.rollback()
    return None


@covers("INV-24", "SEC:S-20", "SEC:S-46")
@pytest.mark.parametrize("role", ROLES)
def test_no_role_may_change_what_is_recorded(filled: str, role: str) -> None:
    met = {
        (verb, table): attempt(filled, role, statement.format(table=table, column=FIRST_COLUMN[table]))
        for verb, statement in CHANGES.items()
        for table in TABLES
    }
    assert set(met.values()) == {errors.InsufficientPrivilege}


@covers("SEC:S-46", "SEC:S-19")
@pytest.mark.parametrize("role", ROLES)
def test_each_role_reads_what_it_needs_and_no_more(filled: str, role: str) -> None:
    may = {table for table in TABLES if attempt(filled, role, f"select * from ledger.{table}") is None}
    assert may == set(MAY_SELECT[role])


@covers("SEC:S-46")
@pytest.mark.parametrize("role", ROLES)
def test_only_the_application_inserts(filled: str, role: str) -> None:
    may = {
        table
        for table, statement in INSERTS.items()
        if attempt(filled, role, statement.format(position=2)) is not errors.InsufficientPrivilege
    }
    assert may == (set(TABLES) if role == "ledger_app" else set())


@covers("INV-24", "SEC:S-46")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "set session_replication_role = replica",
        "create table ledger.mine (x int)",
        "create table public.mine (x int)",
        "drop schema ledger cascade",
        "alter function ledger.append(bigint, text, text[], text, text) rename to other",
        "drop trigger number on ledger.events",
    ],
)
def test_no_role_defines_anything(filled: str, role: str, statement: str) -> None:
    assert attempt(filled, role, statement) is errors.InsufficientPrivilege


@covers("INV-24")
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", ["update", "delete", "truncate"])
def test_the_triggers_refuse_even_the_owner(filled: str, table: str, verb: str) -> None:
    statement = CHANGES[verb].format(table=table, column=FIRST_COLUMN[table])
    assert attempt(filled, "ledger_owner", statement) is errors.InsufficientPrivilege
    assert attempt(filled, None, statement) is errors.InsufficientPrivilege
    assert attempt(filled, None, f"set session_replication_role = replica; {statement}") is (
        errors.InsufficientPrivilege
    )


@covers("FM:F-031", "FC:G-08")
@pytest.mark.parametrize(
    ("position", "met"),
    [
        (999_999, errors.IntegrityConstraintViolation),
        (3, errors.IntegrityConstraintViolation),
        (1, errors.UniqueViolation),
        (0, errors.IntegrityConstraintViolation),
        (-5, errors.IntegrityConstraintViolation),
        (2, None),
    ],
)
def test_only_the_position_after_the_head_can_be_inserted(filled: str, position: int, met: Any) -> None:
    another = INSERTS["events"].replace("'s-1'", "'s-2'").replace("'c', 0", "'d', 0")
    assert attempt(filled, "ledger_app", another.format(position=position)) is met


def test_the_time_of_recording_is_the_databases_alone(filled: str) -> None:
    statement = INSERTS["events"].format(position=2).replace("occurred_at", "occurred_at, recorded_at")
    forged = statement.replace("now()", "now(), '2001-01-01'")
    assert attempt(filled, "ledger_app", forged) is errors.InsufficientPrivilege


def test_the_time_of_recording_never_goes_back(filled: str) -> None:
    forged = (
        INSERTS["events"]
        .replace("occurred_at", "occurred_at, recorded_at")
        .replace("now()", "now(), '2999-01-01'")
    )
    with psycopg.connect(filled, autocommit=True) as owner, owner.transaction(force_rollback=True):
        owner.execute("alter table ledger.events disable trigger number")
        owner.execute(forged.format(position=2).replace("'s-1'", "'s-2'").replace("'c', 0", "'d', 0"))
        owner.execute("alter table ledger.events enable always trigger number")
        owner.execute(
            INSERTS["events"].format(position=3).replace("'s-1'", "'s-3'").replace("'c', 0", "'e', 0")
        )
        times = owner.execute("select recorded_at::text from ledger.events order by position").fetchall()
    assert times[2] == times[1]


def test_every_guarding_trigger_fires_always(filled: str) -> None:
    with psycopg.connect(filled) as owner:
        rows = owner.execute(
            "select c.relname, t.tgname, t.tgenabled from pg_trigger t join pg_class c on c.oid = t.tgrelid "
            "where c.relnamespace = 'ledger'::regnamespace and not t.tgisinternal"
        ).fetchall()
    guards = {(table, name) for table in TABLES for name in ("no_change", "no_truncate")}
    assert {(table, name) for table, name, enabled in rows if enabled == "A"} == guards | {
        ("events", "number")
    }
