"""A ledger with a little history, and the command line over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.__main__ import app
from gateway.ledger.catalog import CATALOG
from gateway.ledger.ledger import Ledger
from tests.projections.desk import Desk, record

Gateway = Callable[..., Result]


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Nothing of this machine's configuration; a home of its own."""
    for name in ("DATABASE_URL", "GATEWAY_TOKEN", "HTTP_PORT", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return {"GATEWAY_HOME": str(tmp_path / "home")}


@pytest.fixture
def gateway(environ: dict[str, str]) -> Gateway:
    """`gateway("verify", DATABASE_URL=…)` runs the command in this process."""

    def run(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**environ, **variables})

    return run


@pytest.fixture
def history(database: str) -> str:
    """The URL of a ledger that holds one order, accepted and filled in two parts."""
    desk = Desk()
    desk.submit("first")
    desk.accept("first")
    desk.trade("first", "e1", "40", "150.25")
    desk.trade("first", "e2", "60", "150.50")

    async def write() -> None:
        async with Ledger.opened(database, CATALOG, build="test") as ledger:
            await record(ledger, desk.appends)

    asyncio.run(write())
    return database
