"""A gateway in a process of its own, as `gateway serve` starts it, for tests that need the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.adapters.system_clock import SystemClock
from gateway.api.tokens import mint
from gateway.cli.stage import Stage
from gateway.main import wiring
from gateway.main.keys import signing_key
from gateway.settings import load_settings
from tests.kit.exchange import Exchange

WEBHOOK_SECRET = "whsec-test"
FIRST_DATABASE_OF_ITS_OWN = 8
"""Other tests flush the databases below; a gateway that outlives a test needs one of its own."""


@dataclass
class Served:
    """`url` answers; `bearer` is an admin's."""

    stage: Stage
    exchange: Exchange
    database: str

    def bearer_of(self, role: str, *, sub: str, strategies: tuple[str, ...] = ("*",)) -> dict[str, str]:
        settings = load_settings(self.stage.variables)
        token = mint(
            sub=sub,
            role=role,
            strategies=strategies,
            life=timedelta(hours=1),
            now=datetime.now(UTC),
            rules=wiring.token_rules(settings, SystemClock()),
            signing_key=signing_key(settings),
        )
        return {"Authorization": f"Bearer {token}"}

    @cached_property
    def bearer(self) -> dict[str, str]:
        return self.bearer_of("admin", sub="alice")

    @property
    def url(self) -> str:
        return self.stage.url

    @property
    def gateway_process(self) -> int:
        program = self.stage._gateway
        assert program is not None
        assert program.child is not None
        return program.child.pid

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.stage.variables["HTTP_PORT"])

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **said: Any
    ) -> httpx2.Response:
        """As the admin, unless the headers name somebody else."""
        headers = {**self.bearer, **(headers or {})}
        return httpx2.request(method, f"{self.url}{path}", headers=headers, timeout=20, **said)

    def head(self) -> int:
        """The newest position of the ledger."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute("select coalesce(max(position), 0) from ledger.events").fetchone()
        assert row is not None
        return int(row[0])

    def recorded_after(self, position: int) -> list[str]:
        """The names of the events behind a position that a caller brought about."""
        query = (
            "select topic from ledger.events where position > %s and actor_kind = 'user' order by position"
        )
        with psycopg.connect(self.database) as connection:
            return [topic for (topic,) in connection.execute(query, [position])]

    def orders_at_exchange(self) -> int:
        return len(self.exchange.truth()["orders"])

    def log_lines(self, holding: str) -> list[str]:
        """What the gateway has logged so far with these words in it."""
        lines = (self.stage.home / "gateway.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if holding in line]

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        give_up = time.monotonic() + 15
        while time.monotonic() < give_up:
            if found := holds():
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what} did not happen")

    def is_open(self) -> bool:
        return bool(self.ask("GET", "/api/v1/reconciliation/status").json()["gate"] == "open")


@contextmanager
def serving(
    *, postgres: EmbeddedPostgres, migrated: str, valkey: EmbeddedValkey, worker: int, home: Path
) -> Iterator[Served]:
    """A gateway with its own database and its own exchange, ready to trade; nobody is ever over a limit."""
    name = f"served_{uuid4().hex}"
    postgres.create_database(name, template=migrated)
    exchange = Exchange.start(home / "exchange")
    exchange.price("AAPL", "99.99", "100.01")
    exchange.price("MSFT", "199.98", "200.02")
    given = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": postgres.url(name),
        "REDIS_URL": valkey.database_url(FIRST_DATABASE_OF_ITS_OWN + worker),
        "DRY_RUN": "false",
        "ALPACA_BASE_URL": exchange.url,
        "ALPACA_API_KEY_ID": exchange.key,
        "ALPACA_API_SECRET_KEY": exchange.secret,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "FEATURE_PERFORMANCE_DASHBOARD": "true",
        "RATE_LIMIT_MODE": "log_only",
    }
    try:
        with Stage(home=home / "gateway", given=given) as stage:
            served = Served(stage, exchange, postgres.url(name))
            served.until(served.is_open, "the first reconciliation pass")
            yield served
    finally:
        exchange.stop()
        postgres.drop_database(name)
