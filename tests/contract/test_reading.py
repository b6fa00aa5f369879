"""Reading shows what is the caller's, heals nothing on the way, and stands in nobody's way."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.store import WRITER_LOCK
from tests.contract.conftest import CreateTestApp
from tests.contract.steps import traded
from tests.kit.house import House

UNREADABLE = """
    insert into ledger.events (position, stream, version, topic, body, occurred_at, actor, actor_kind,
        command_id, command_index, correlation_id, source, build)
    values ((select max(position) + 1 from ledger.events), 'order-odd', 1, 'order.submitted.v9', '{}', now(),
        'x', 'system', 'odd', 0, 'x', 'system', 'a newer one')
"""


async def by_owner(database: str, *statements: str) -> None:
    """In a thread: what the followers of this process hold locked, only this loop can let go of."""

    def execute() -> None:
        with psycopg.connect(database) as owner:
            for statement in statements:
                owner.execute(statement)

    await asyncio.to_thread(execute)


async def events(house: House, **claims: Any) -> list[dict[str, Any]]:
    caller = house.as_role("viewer", **claims) if claims else house.client
    response = await caller.get("/api/v1/events", params={"limit": 1000})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["events"]
    return found


async def failures(house: House) -> dict[str, list[str]]:
    response = await house.client.get("/api/v1/ledger/verify")
    assert response.status_code == 200, response.text
    return {check["name"]: check["failures"] for check in response.json()["checks"] if check["failures"]}


async def bought(house: House, name: str, strategy_id: str, qty: int) -> None:
    (await house.submit(client_order_id=name, strategy_id=strategy_id, qty=qty)).raise_for_status()
    await house.until_status(name, "filled")


async def test_a_position_s_events_tell_a_viewer_nothing_of_other_strategies(house: House) -> None:
    await bought(house, "theirs", "theirs", 300)
    await bought(house, "mine", "mine", 5)
    await house.position()
    mine = [
        event for event in await events(house, strategies=("mine",)) if event["stream"] == "position-AAPL"
    ]
    assert [event["topic"] for event in mine] == ["position.reserved", "position.filled"]
    assert not [name for event in mine for name in event["data"] if name.startswith("account")]
    filled = [event for event in await events(house) if event["topic"] == "position.filled"]
    assert [event["data"]["account"]["qty"] for event in filled] == ["300", "305"]


async def test_events_of_an_order_the_tables_do_not_know_yet_are_its_owner_s(house: House) -> None:
    await house.gateway.projections.stop()
    (await house.submit(client_order_id="mine", strategy_id="mine")).raise_for_status()
    assert {event["client_order_id"] for event in await events(house, strategies=("mine",))} >= {"mine"}
    others = await events(house, strategies=("other",))
    assert "mine" not in {event["client_order_id"] for event in others}


async def test_an_event_nobody_can_read_is_listed_reported_and_stops_no_other_answer(
    house: House, database: str
) -> None:
    await bought(house, "good", "alpha", 5)
    await by_owner(database, UNREADABLE)
    assert "order-odd" in {event["stream"] for event in await events(house)}
    assert "order-odd" not in {event["stream"] for event in await events(house, strategies=("alpha",))}
    head = await house.gateway.ledger.log.head()
    assert (await house.client.get("/api/v1/positions", params={"as_of": str(head)})).status_code == 200
    scoped = house.as_role("viewer", strategies=("alpha",))
    behind = await scoped.get("/api/v1/positions", params={"as_of": str(head)})
    assert (behind.status_code, behind.json()["code"]) == (503, "projection_behind")
    assert "decode" in await failures(house)
    await house.gateway.ledger.catch_up()
    health = (await house.client.get("/health")).json()
    assert health["details"]["components"]["ledger:poisoned"]["state"] == "down"
    assert (await house.submit(qty=1)).status_code == 200


async def test_a_table_that_read_what_this_build_cannot_is_a_finding_and_not_an_error(
    house: House, database: str
) -> None:
    await by_owner(
        database,
        UNREADABLE,
        "update read.projection set position = (select max(position) from ledger.events)",
    )
    found = await failures(house)
    assert found["projections"][0].startswith("the log cannot be folded")


async def test_verifying_looks_at_the_mirror_and_leaves_it_as_it_is(house: House) -> None:
    await bought(house, "good", "alpha", 5)
    await house.gateway.link.command("HINCRBY", "position_reservation:AAPL", "long", "7500000000")
    for _ in range(2):
        assert (await failures(house))["reservations"] == ["the mirror differs by 7.5 shares"]


async def test_a_mirror_that_cannot_be_asked_was_not_compared(
    create_test_app: CreateTestApp, private_valkey: Any
) -> None:
    async with create_test_app(environment={"REDIS_URL": private_valkey.url}) as house:
        private_valkey.stop()
        assert (await failures(house))["reservations"] == [
            "the mirror was not compared: it cannot be reached"
        ]


async def test_callers_hear_that_the_ledger_is_away_and_not_why(house: House, database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute(f"select pg_advisory_xact_lock({WRITER_LOCK})")
        response = await house.submit(qty=1)
    assert (response.status_code, response.json()["code"]) == (503, "ledger_unavailable")
    assert response.json()["detail"] == "ledger_unavailable: the ledger does not answer"


async def test_a_writer_that_ended_turns_health_red(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(*_: object) -> None:
        raise RuntimeError("a bug nobody thought of")

    monkeypatch.setattr(house.gateway.ledger.writer, "_settle", end)
    async with asyncio.timeout(2):
        with pytest.raises(LedgerUnavailable):
            await house.gateway.ledger.catch_up()
    health = (await house.client.get("/health")).json()
    assert health["details"]["components"]["ledger:writer"]["state"] == "down"
    assert health["status"] != "healthy"


async def test_a_table_another_version_made_is_behind_until_it_is_made_anew(
    house: House, database: str
) -> None:
    await by_owner(database, "update read.projection set version = version - 1 where name = 'orders'")
    response = await house.client.get("/api/v1/orders/pending")
    assert (response.status_code, response.json()["code"]) == (503, "projection_behind")
    assert response.headers["Retry-After"]


async def test_paging_for_what_is_rare_reads_the_log_in_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (await house.submit(client_order_id=f"o{number}", qty=1)).raise_for_status()
    log, asked = house.gateway.ledger.log, []
    read = log.read

    async def counted(after: int, limit: int | None, **filters: Any) -> Any:
        if "stream" in filters and limit is not None:  # others read whole streams meanwhile
            asked.append(limit)
        return await read(after, limit, **filters)

    monkeypatch.setattr(log, "read", counted)
    response = await house.client.get("/api/v1/events", params={"limit": 1, "symbol": "ZZZZ"})
    assert response.json()["events"] == []
    assert asked == [500]


async def test_what_a_symbol_was_worth_reads_its_own_stream_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await traded(house, "buy", "10", "90", name="mine")
    log, asked = house.gateway.ledger.log, []
    read = log.read

    async def counted(after: int, limit: int | None, **filters: Any) -> Any:
        if "name" in filters:  # others read whole streams meanwhile
            asked.append((filters["stream"], filters["name"]))
        return await read(after, limit, **filters)

    monkeypatch.setattr(log, "read", counted)
    head = await log.head()
    response = await house.client.get("/api/v1/positions", params={"as_of": str(head), "symbol": "AAPL"})
    assert [one["qty"] for one in response.json()["positions"]] == ["10"]
    assert set(asked) == {("position-AAPL", "position.")}
