"""Snapshots make starts short and change no answer."""

from __future__ import annotations

import dataclasses
import time

import psycopg

from gateway.ledger import snapshots
from gateway.ledger.cache import Cache, Entry
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.ledger import Ledger
from tests.ledger.accounts import ACCOUNTS, CATALOG, KINDS, Account, cause, close, deposit, note, open_account
from tests.ledger.waiting import until

FILL = """
    insert into ledger.events (position, stream, version, topic, body, recorded_at, occurred_at, actor,
        actor_kind, command_id, command_index, correlation_id, source, build)
    select n, case when n %% 1000 = 0 then 'account-' || n else 'notes' end,
           case when n %% 1000 = 0 then 1 else n - n / 1000 end,
           case when n %% 1000 = 0 then 'account.deposited.v2' else 'note.noted.v1' end,
           convert_to(case when n %% 1000 = 0 then '{"amount":"1"}' else '{"text":"x"}' end, 'UTF8'),
           now(), now(), 'x', 'user', 'c' || n, 0, 'c', 'api', 'b'
      from generate_series(1, %s) as n
"""


def fill(url: str, count: int) -> None:
    """Write many events quickly, as only the owner can."""
    with psycopg.connect(url) as owner:
        owner.execute("alter table ledger.events disable trigger number")
        owner.execute(FILL, (count,))
        owner.execute("alter table ledger.events enable always trigger number")


async def test_a_long_stream_is_loaded_from_its_snapshot(ledger: Ledger, database: str) -> None:
    for _ in range(17):
        await ledger.writer.change(["account-a"], deposit("account-a", times=7), cause())
    expected = await ledger.load("account-a")
    await ledger._snapshots.keep_due()
    with psycopg.connect(database) as owner:
        kept = owner.execute("select version from ledger.snapshots where stream = 'account-a'").fetchall()
    assert kept == [(112,)]
    async with Ledger.opened(database, CATALOG, build="later") as later:
        later._cache.forget("account-a")
        assert await later.load("account-a") == expected
        assert expected[1] == 119


async def test_a_snapshot_of_another_state_version_or_shape_is_ignored(database: str) -> None:
    with psycopg.connect(database) as owner:
        for version in ("1", "7"):
            owner.execute(
                "insert into ledger.snapshots (stream, state_version, version, state) values "
                "('account-a', %s, 50, %s)",
                (version, b'{"deposits": "many"}' if version == "1" else b'{"deposits": 99}'),
            )
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        change = await ledger.writer.change(["account-a"], deposit("account-a"), cause())
        assert (change.states["account-a"].deposits, change.states.version("account-a")) == (1, 1)


async def test_the_desk_after_a_restart_is_the_desk_before(ledger: Ledger, database: str) -> None:
    for name in "abcdef":
        await ledger.writer.change([], open_account(f"account-{name}"), cause(), new=[f"account-{name}"])
    await ledger.writer.change(["account-b"], close("account-b"), cause())
    await ledger.writer.change(["account-c"], deposit("account-c", 7), cause())
    await ledger._snapshots.keep_desk()
    await ledger.writer.change(["account-d"], close("account-d"), cause())
    await ledger.writer.change(["account-b"], deposit("account-b", 3), cause())
    async with Ledger.opened(database, CATALOG, build="later") as later:
        assert dict(later.desk.live("account-")) == dict(ledger.desk.live("account-"))
        assert later.desk.position == ledger.desk.position


async def test_a_desk_kept_by_another_build_is_folded_again(ledger: Ledger, database: str) -> None:
    await ledger.writer.change([], open_account("account-a"), cause(), new=["account-a"])
    await ledger._snapshots.keep_desk()
    catalog = Catalog((dataclasses.replace(ACCOUNTS, state_version=2), *KINDS[1:]))
    async with Ledger.opened(database, catalog, build="later") as later:
        assert [name for name, _ in later.desk.live("account-")] == ["account-a"]


async def test_the_desk_is_kept_by_itself_every_so_many_positions(database: str) -> None:
    fill(database, snapshots.DESK_EVERY + 1000)
    async with Ledger.opened(database, CATALOG, build="test") as ledger:
        await until(lambda: ledger._snapshots._desk_position, within=5)
    with psycopg.connect(database) as owner:
        kept = owner.execute("select version from ledger.snapshots where stream = 'desk'").fetchall()
    assert kept == [(snapshots.DESK_EVERY + 1000,)]


async def test_a_start_with_many_events_folds_only_those_after_the_kept_desk(database: str) -> None:
    fill(database, 200_000)
    async with Ledger.opened(database, CATALOG, build="first"):
        pass
    started = time.monotonic()
    async with Ledger.opened(database, CATALOG, build="second") as ledger:
        assert time.monotonic() - started < 1
        assert len(list(ledger.desk.live("account-"))) == 200
        assert (await ledger.writer.change(["notes"], note("x"), cause())).position == 200_001


def test_the_cache_lets_go_of_the_least_used_but_never_of_the_live() -> None:
    cache = Cache(CATALOG, room=3)
    for number in range(10):
        cache.put(f"account-{number}", Entry(1, Account(is_open=number < 5)))
    kept = [number for number in range(10) if cache.get(f"account-{number}") is not None]
    assert kept == [0, 1, 2, 3, 4, 7, 8, 9]
    assert len(cache) == 8
