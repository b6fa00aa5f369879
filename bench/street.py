"""The servers of the HTTP benches, and gateways that stand between them in processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.request import Request, urlopen

from bench.load import Offer
from bench.served import STOCK_DATABASE
from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.adapters.system_clock import SystemClock
from gateway.aggregates.vocabulary import ActorKind
from gateway.api.tokens import mint
from gateway.ledger import migrate
from gateway.main import wiring
from gateway.main.keys import signing_key
from gateway.settings import load_settings
from tests.kit.exchange import Exchange

START_WITHIN: Final = 60.0
UNBOUNDED: Final = "1000000"
SYMBOLS: Final = ("AAPL", "MSFT", "GOOG", "IBM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """The servers every gateway of this bench stands between."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    exchange: Exchange
    home: Path

    def variables(self, *, database: str, dry_run: bool) -> Mapping[str, str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return {
            "ENVIRONMENT": "test",
            "DATABASE_URL": self.postgres.url(database),
            "REDIS_URL": self.valkey.url,
            "DRY_RUN": str(dry_run).lower(),
            "MARKET_DATA_SOURCE": "embedded" if dry_run else "alpaca",
            "ALPACA_BASE_URL": self.exchange.url,
            "ALPACA_API_KEY_ID": self.exchange.key,
            "ALPACA_API_SECRET_KEY": self.exchange.secret,
            "GATEWAY_HOME": str(self.home),
            "HTTP_PORT": str(port),
            "ORDER_SUBMIT_RATE_LIMIT": UNBOUNDED,
            "RATE_LIMIT_INTERNAL_FACTOR": UNBOUNDED,
            "RISK_MAX_POSITION_SIZE": UNBOUNDED,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A gateway that answers: a service submits its orders, an admin does everything else."""

    url: str
    database: str
    service: str
    admin: str

    def offer(self, bodies: Sequence[str], seconds: float, keys: str) -> Offer:
        return Offer(
            url=f"{self.url}/api/v1/orders",
            headers=f"Authorization: Bearer {self.service}\r\n",
            bodies=bodies,
            keys=keys,
            seconds=seconds,
        )

    def ask(self, method: str, path: str, body: object = None) -> None:
        """Raises OSError for anything but success."""
        headers = {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", content, headers, method=method)  # noqa: S310 - our own
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            answer.read()


@contextmanager
def street() -> Iterator[Street]:
    """Postgres, Valkey and the paper exchange, stopped at the end."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        postgres = EmbeddedPostgres.start(place / "postgres")
        stack.callback(postgres.stop)
        postgres.create_database(STOCK_DATABASE)
        valkey = EmbeddedValkey.start(place / "valkey")
        stack.callback(valkey.stop)
        exchange = Exchange.start(place / "exchange")
        stack.callback(exchange.stop)
        exchange.ctl("PUT", "config", {"session": "always"})
        for symbol in SYMBOLS:
            exchange.price(symbol, "99.99", "100.01")
        yield Street(postgres=postgres, valkey=valkey, exchange=exchange, home=place / "home")


@contextmanager
def served(around: Street, answering: str, *, dry_run: bool = True) -> Iterator[Served]:
    """A gateway on a database of its own, stopped at the end."""
    database = f"bench_{answering.replace('-', '_')}_{'dry' if dry_run else 'live'}"
    around.postgres.create_database(database)
    migrate.upgrade(around.postgres.url(database))
    variables = around.variables(database=database, dry_run=dry_run)
    log = around.home.parent / f"{database}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.served", answering],
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
        )
        try:
            gateway = Served(
                url=f"http://127.0.0.1:{variables['HTTP_PORT']}",
                database=variables["DATABASE_URL"],
                service=_token(variables, ActorKind.SERVICE, "orchestrator"),
                admin=_token(variables, ActorKind.USER, "bench"),
            )
            _wait_until_ready(gateway, process, log)
            yield gateway
        finally:
            process.terminate()
            process.wait(timeout=60)


def _token(variables: Mapping[str, str], kind: ActorKind, sub: str) -> str:
    """Orders come from a service, because the limits of services can be raised without end."""
    settings, clock = load_settings(variables), SystemClock()
    return mint(
        sub=sub,
        role="admin" if kind is ActorKind.USER else None,
        strategies=("*",),
        life=timedelta(hours=1),
        now=clock.now(),
        rules=wiring.token_rules(settings, clock),
        signing_key=signing_key(settings),
        kind=kind,
    )


def _wait_until_ready(gateway: Served, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = perf_counter() + START_WITHIN
    while not _is_ready(gateway):
        if process.poll() is not None or perf_counter() > give_up:
            raise RuntimeError(f"the gateway did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _is_ready(gateway: Served) -> bool:
    try:
        gateway.ask("GET", "/health/ready")
    except OSError:
        return False
    return True
