"""What is told to nobody, and what every line of the log says."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
import pytest
import redis
import structlog

from gateway import __version__
from gateway.adapters.embedded import EmbeddedValkey
from gateway.api.webhook_signature import signature
from gateway.telemetry import configure_logging
from tests.contract.by_hand import asked
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import WEBHOOK
from tests.kit.covers import covers
from tests.kit.environment import bare
from tests.kit.exchange import Exchange
from tests.kit.house import House

CANARIES: Final = {
    name: f"canary-{name.lower().replace('_', '-')}-0123456789abcdef"
    for name in (
        "ALPACA_API_KEY_ID",
        "ALPACA_API_SECRET_KEY",
        "DATABASE_PASSWORD",
        "REDIS_PASSWORD",
        "WEBHOOK_SECRET",
        "INTERNAL_TOKEN_SECRET",
        "INTERNAL_TOKEN_SECRET_ORCHESTRATOR",
        "JWT_HS256_SECRET",
    )
}
IN_URLS: Final = ("DATABASE_PASSWORD", "REDIS_PASSWORD")
HUNTED: Final = "canary-"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Whatever a test has `log_as_deployed`, the next one logs as ever."""
    root, gateway = logging.getLogger(), logging.getLogger("gateway")
    handlers, levels = list(root.handlers), (root.level, gateway.level)
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    for logger, level in zip((root, gateway), levels, strict=True):
        logger.setLevel(level)


def log_as_deployed() -> None:
    """On standard output as it is now, so within the test."""
    configure_logging("DEBUG", service="execution_gateway", version=__version__, pod="test")


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line, each of them JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def environment(database: str, valkey: EmbeddedValkey) -> dict[str, str]:
    secrets = {name: value for name, value in CANARIES.items() if name not in IN_URLS}
    return secrets | {
        "DATABASE_URL": database.replace("@", f":{CANARIES['DATABASE_PASSWORD']}@", 1),
        "REDIS_URL": valkey.url.replace("://", f"://:{CANARIES['REDIS_PASSWORD']}@", 1),
    }


@asynccontextmanager
async def sworn_to_secrecy(
    create_test_app: CreateTestApp, database: str, valkey: EmbeddedValkey, exchange: Exchange
) -> AsyncIterator[House]:
    """A gateway whose every secret is a canary; its servers accept them, as they should."""
    key = {"key_id": CANARIES["ALPACA_API_KEY_ID"], "secret": CANARIES["ALPACA_API_SECRET_KEY"]}
    exchange.ctl("PUT", "config", {"keys": [key]})
    with redis.Redis.from_url(valkey.url) as server:
        server.config_set("requirepass", CANARIES["REDIS_PASSWORD"])
    async with create_test_app(environment=environment(database, valkey)) as house:
        yield house


@covers("INV-33", "SEC:S-61")
async def test_no_secret_leaves_the_process(
    create_test_app: CreateTestApp,
    database: str,
    private_valkey: EmbeddedValkey,
    exchange: Exchange,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not by an answer, an event, a metric, a line of the log or an examination, however it goes."""
    log_as_deployed()
    async with sworn_to_secrecy(create_test_app, database, private_valkey, exchange) as house:
        token = house.client.headers["Authorization"].removeprefix("Bearer ")
        told = [await _talk(house), await _doctor(database, private_valkey, exchange)]
        exchange.kill()
        try:
            told.append((await house.submit(symbol="MSFT")).text)
        finally:
            exchange.restart()
        private_valkey.kill()
        told.append((await house.submit(symbol="MSFT")).text)
        told += [(await house.client.get(path)).text for path in ("/health", "/metrics", "/openapi.json")]
    logged = capsys.readouterr().out
    assert "request failed" in logged
    told += [logged, caplog.text, await asyncio.to_thread(_everything_stored, database)]
    for text in told:
        assert HUNTED not in text, text[max(text.find(HUNTED) - 200, 0) :][:400]
        assert token not in text


async def _talk(house: House) -> str:
    """Orders, refusals, bad proofs, an error nobody foresaw; everything that was answered."""
    body = json.dumps({"event": "a_new_word"}).encode()
    signed = signature(CANARIES["WEBHOOK_SECRET"].encode(), body)
    nobody = house.as_nobody()

    async def broken(*_: object) -> Any:
        raise RuntimeError(f"with {house.gateway.settings!r} at hand")

    answers = [
        await house.submit(),
        await house.submit(qty=900, type="limit", limit_price="5000"),
        await house.client.post("/api/v1/manual/orders", json=asked(symbol="AAPL", side="buy", qty=1)),
        await house.client.get("/api/v1/config"),
        await house.client.get("/api/v1/orders/nobody-knows-me"),
        await nobody.get("/api/v1/config", headers={"Authorization": "Bearer nonsense"}),
        await nobody.post(WEBHOOK, content=body, headers={"X-Alpaca-Signature": signed}),
        await nobody.post(WEBHOOK, content=b"{}", headers={"X-Alpaca-Signature": signed}),
        await house.client.get("/"),
    ]
    object.__setattr__(house.app.state.desk, "verify", broken)
    answers.append(await house.client.get("/api/v1/ledger/verify"))
    assert [answer.status_code for answer in answers] == [200, 400, 200, 200, 404, 401, 200, 401, 200, 500]
    return "\n".join(answer.text for answer in answers)


async def _doctor(database: str, valkey: EmbeddedValkey, exchange: Exchange) -> str:
    variables = environment(database, valkey) | {"ALPACA_BASE_URL": exchange.url, "DRY_RUN": "false"}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", "doctor"],
        env=bare(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Redis" in done.stdout, done.stderr
    return done.stdout + done.stderr


def _everything_stored(database: str) -> str:
    """Every row of the ledger, of the inbox and of the read tables."""
    with psycopg.connect(database) as owner:
        tables = owner.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname in ('ledger', 'read')"
        ).fetchall()
        rows = [row for (table,) in tables for row in owner.execute(f"select t::text from {table} t")]
    assert rows
    return "\n".join(text for (text,) in rows)


async def test_every_line_of_a_request_says_whose_it_is(
    create_test_app: CreateTestApp, capsys: pytest.CaptureFixture[str]
) -> None:
    log_as_deployed()
    async with create_test_app() as house:
        said(capsys)
        mine = {"X-Request-ID": "the-one-i-ask-about"}
        body = {"symbol": "AAPL", "side": "buy", "qty": 10, "type": "limit", "limit_price": "90"}
        assert (await house.client.post("/api/v1/orders", json=body, headers=mine)).status_code == 200
        engage = {"reason": "a test says so", "operator": "alice"}
        await house.client.post("/api/v1/kill-switch/engage", json=engage, headers=mine)
        await house.client.post("/api/v1/orders", json=body | {"qty": 11}, headers=mine)
        found = said(capsys)
        events = await house.gateway.ledger.log.read(0, 1000)
    ours = [line for line in found if line.get("request_id") == mine["X-Request-ID"]]
    told = [line["message"] for line in ours]
    assert told.count("request") == 3
    assert {"broker call", "gate refused", "control action"} <= set(told)
    submits = [line for line in found if line.get("operation") == "submit"]
    assert [line["request_id"] for line in submits] == [mine["X-Request-ID"]]
    for line in found:
        assert {"timestamp", "level", "logger", "message", "service", "version", "pod"} <= line.keys()
    recorded = {type(one.event).__name__ for one in events if one.correlation_id == mine["X-Request-ID"]}
    assert {"OrderSubmitted", "OrderAccepted", "KillSwitchEngaged", "OrderRefused"} <= recorded


async def test_trouble_told_by_a_library_is_a_line_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_deployed()
    logging.getLogger("a.library").warning("something of %s", "its own", extra={"symbol": "AAPL"})
    logging.getLogger("gateway.adapters.lanes").error(
        "ended unforeseen", exc_info=RuntimeError("a bug nobody thought of")
    )
    warned, crashed = said(capsys)
    assert (warned["logger"], warned["level"], warned["message"]) == (
        "a.library",
        "warning",
        "something of its own",
    )
    assert (warned["symbol"], warned["service"]) == ("AAPL", "execution_gateway")
    assert (crashed["message"], crashed["level"]) == ("ended unforeseen", "error")
    assert "a bug nobody thought of" in crashed["exception"]
