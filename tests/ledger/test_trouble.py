"""Trouble stays where it belongs: with one command, with the log file, with whoever has to be told."""

from __future__ import annotations

import asyncio
import logging

import psycopg
import pytest

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.ledger import Ledger
from gateway.ledger.store import WRITER_LOCK, Store
from tests.ledger.accounts import CATALOG, cause, deposit
from tests.ledger.waiting import until

A = "account-a"
TOO_LONG_FOR_AN_INDEX = "".join(f"{number:04x}" for number in range(4000))


async def test_a_command_postgres_cannot_store_fails_alone_and_at_once(ledger: Ledger) -> None:
    async with asyncio.timeout(2):
        answers = await asyncio.gather(
            *(ledger.writer.change([f"account-{i}"], deposit(f"account-{i}"), cause()) for i in range(20)),
            ledger.writer.change([A], deposit(A), cause(TOO_LONG_FOR_AN_INDEX)),
            return_exceptions=True,
        )
    *good, bad = answers
    assert [answer for answer in good if isinstance(answer, BaseException)] == []
    assert isinstance(bad, psycopg.errors.ProgramLimitExceeded)
    assert await ledger.log.head() == 20


async def test_a_writer_that_ends_of_itself_tells_everybody_and_shows(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a bug nobody thought of")

    monkeypatch.setattr(Store, "recover", fail)
    monkeypatch.setattr(Store, "load", fail)
    assert ledger.ailments == {}
    async with asyncio.timeout(2):
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause())
        with pytest.raises(LedgerUnavailable):
            await ledger.writer.change([A], deposit(A), cause())
    assert list(ledger.ailments) == ["ledger:writer"]


async def test_keeping_snapshots_outlives_whatever_goes_wrong(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 0

    async def fail() -> None:
        nonlocal failures
        failures += 1
        raise RuntimeError("a bug nobody thought of")

    monkeypatch.setattr(ledger._snapshots, "keep_due", fail)
    with caplog.at_level(logging.WARNING):
        await until(lambda: failures == 2, within=5)
    monkeypatch.undo()
    assert "ledger.snapshots_late" in caplog.text


async def test_what_postgres_says_of_itself_stays_in_the_log(
    ledger: Ledger, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database) as other:
        other.execute(f"select pg_advisory_xact_lock({WRITER_LOCK})")
        with caplog.at_level(logging.WARNING), pytest.raises(LedgerUnavailable) as refused:
            await ledger.writer.change([A], deposit(A), cause())
    assert refused.value.detail == "the ledger does not answer"
    assert any("lock timeout" in record.error for record in caplog.records if hasattr(record, "error"))


async def test_a_commit_waits_for_the_disk_whatever_the_database_is_set_to(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"alter database {owner.info.dbname} set synchronous_commit = off")
        owner.execute("create table public.heard (setting text)")
        owner.execute("grant insert on public.heard to ledger_app")
        owner.execute(
            "create function public.hear() returns trigger language plpgsql as $$ begin"
            " insert into public.heard values (current_setting('synchronous_commit')); return new; end $$"
        )
        owner.execute("create trigger hear after insert on ledger.events execute function public.hear()")
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        await ledger.writer.change([A], deposit(A), cause())
    with psycopg.connect(database) as owner:
        assert owner.execute("select setting from public.heard").fetchall() == [("on",)]


async def test_a_ledger_that_never_opened_can_be_closed(database: str) -> None:
    ledger = Ledger("host=127.0.0.1 port=1 dbname=nowhere", CATALOG, build="test")
    with pytest.raises(LedgerUnavailable):
        await ledger.open()
    await ledger.close()
    await Ledger(database, CATALOG, build="test").close()
