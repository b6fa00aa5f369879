"""The gateway runs with the logins it should have, and refuses those it should not."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from gateway.main.composition import Gateway
from gateway.main.lifecycle import LedgerNeverCame, Lifecycle
from gateway.settings import load_settings
from tests.contract.conftest import CreateTestApp
from tests.kit.covers import covers

SECRET = "0123456789abcdef" * 4
PRODUCTION = {
    "ENVIRONMENT": "production",
    "JWT_ALGORITHM": "HS256",
    "JWT_HS256_SECRET": SECRET,
    "WEBHOOK_SECRET": SECRET,
    "INTERNAL_TOKEN_SECRET": SECRET,
}


def as_login(url: str, login: str) -> str:
    return url.replace("//gateway@", f"//{login}@")


async def start(database: str, redis_url: str, home: Path, **environment: str) -> None:
    variables = {"DATABASE_URL": database, "REDIS_URL": redis_url, "GATEWAY_HOME": str(home)}
    lifecycle = Lifecycle(Gateway(load_settings(variables | environment)))
    try:
        await lifecycle.start()
    finally:
        await lifecycle.stop()


async def test_two_logins_that_are_only_their_own_roles_are_enough(
    create_test_app: CreateTestApp, database: str
) -> None:
    logins = {
        "DATABASE_URL": as_login(database, "ledger_app"),
        "PROJECTIONS_DATABASE_URL": as_login(database, "ledger_proj"),
    }
    async with create_test_app(environment=logins) as house:
        order = (await house.submit()).json()
        await house.until_status(order["client_order_id"], "filled")
        holding = await house.position()
        report = (await house.client.get("/api/v1/ledger/verify")).json()
    assert holding is not None
    assert (holding["qty"], report["ok"]) == ("10", True)


async def test_one_login_that_cannot_write_read_tables_is_told_what_it_lacks(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    with pytest.raises(LedgerNeverCame, match=r"not a member of ledger_proj: set PROJECTIONS_DATABASE_URL"):
        await start(as_login(database, "ledger_app"), redis_url, tmp_path, ENVIRONMENT="test")


@covers("SEC:S-48")
async def test_in_production_a_login_that_could_change_the_ledger_does_not_start(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    with pytest.raises(LedgerNeverCame, match="could change the ledger"):
        await start(database, redis_url, tmp_path, **PRODUCTION)


@covers("SEC:S-48")
async def test_in_production_a_database_that_may_lose_what_it_acknowledged_does_not_start(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"alter database {owner.info.dbname} set synchronous_commit = off")
    logins = {"PROJECTIONS_DATABASE_URL": as_login(database, "ledger_proj"), **PRODUCTION}
    with pytest.raises(LedgerNeverCame, match="synchronous_commit is off"):
        await start(as_login(database, "ledger_app"), redis_url, tmp_path, **logins)


async def test_in_production_the_two_logins_start(database: str, redis_url: str, tmp_path: Path) -> None:
    logins = {"PROJECTIONS_DATABASE_URL": as_login(database, "ledger_proj"), **PRODUCTION}
    await start(as_login(database, "ledger_app"), redis_url, tmp_path, **logins)
