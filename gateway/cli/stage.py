"""A whole desk on this machine, as real processes: Postgres, Valkey, the paper exchange and the gateway."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.cli.endings import CommandFailed
from gateway.ledger import migrate
from gateway.settings import Settings

LOCAL: Final = "127.0.0.1"
LOCAL_KEY: Final = {
    "ALPACA_API_KEY_ID": "PKLOCALEXCHANGE",
    "ALPACA_API_SECRET_KEY": "local-exchange-secret",
}
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 35.0  # the gateway lets running requests finish for at most 30
_PAUSE_SECONDS: Final = 0.02
_LOG_TAIL_BYTES: Final = 2_000


class StageFailed(CommandFailed):
    """A process of the stage did not start or ended by itself; the message carries the end of its log."""


@dataclass(slots=True, kw_only=True)
class Program:
    """One child process, in a session of its own: a Ctrl-C reaches us, and we end it in order.

    Should we be killed, its standard input ends with us, and it ends itself.
    """

    name: str
    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self, arguments: list[str], environ: Mapping[str, str]) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "gateway", *arguments, "--attached"],
                env=environ,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def end(self, by: signal.Signals) -> int:
        """Signal it and wait; gives its exit status. One that does not listen is killed."""
        if self.child is None:
            return 0
        with self.child:
            self.child.send_signal(by)
            try:
                return self.child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                return self.child.wait()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Raises StageFailed when it ends, or is not ready in time."""
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if not self.is_running or time.monotonic() > deadline:
                raise StageFailed(f"{self.name} did not start; the end of {self.log}:\n{self.last_words}")
            time.sleep(_PAUSE_SECONDS)

    @property
    def last_words(self) -> str:
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")


@dataclass(slots=True, kw_only=True)
class Stage:
    """What `given` does not name is started here: the database, Redis, the exchange, and then the gateway.

    `given` are variables of the gateway; nothing of it is taken from our own environment.
    """

    home: Path
    given: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    speed: int = 60
    seed: int = 0
    source: str = "recorded"
    variables: dict[str, str] = field(default_factory=dict)
    """What the gateway is started with."""
    _postgres: EmbeddedPostgres | None = None
    _valkey: EmbeddedValkey | None = None
    _exchange: Program | None = None
    _gateway: Program | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.variables['HTTP_PORT']}"

    @property
    def exchange_url(self) -> str:
        return self.variables["ALPACA_BASE_URL"]

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the gateway and of every command that is to talk to it."""
        return {**_foreign_environ(), **self.variables}

    def _open(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        port = self.port or free_port()
        self.variables = {"HTTP_PORT": str(port), "GATEWAY_HOME": str(self.home), **self.given}
        parts = (self._open_database, self._open_redis, self._open_broker)
        with ThreadPoolExecutor() as together:
            for opening in [together.submit(part) for part in parts]:
                opening.result()
        self.start_gateway()

    def _open_database(self) -> None:
        if "DATABASE_URL" in self.given:
            return
        self.start_database()
        migrate.upgrade(self.database.url())
        self.variables["DATABASE_URL"] = self.database.url()

    def _open_redis(self) -> None:
        if self.given.keys() & {"REDIS_URL", "REDIS_HOST"}:
            return
        self.start_redis()
        self.variables["REDIS_URL"] = self.redis.url

    def _open_broker(self) -> None:
        if self.given.keys() & {"ALPACA_API_KEY_ID", "DRY_RUN"}:
            return
        url = f"http://{LOCAL}:{free_port()}"
        self.variables |= {"ALPACA_BASE_URL": url, "DRY_RUN": "false", **LOCAL_KEY}
        self.start_exchange()

    def start_database(self) -> None:
        """Start our own Postgres, after a crash too, and wait until it answers."""
        programs = self.given.get("GATEWAY_PG_BIN")
        self._postgres = EmbeddedPostgres.start(
            self.home / "postgres", programs=Path(programs) if programs else None
        )

    @property
    def database(self) -> EmbeddedPostgres:
        """Our own Postgres."""
        assert self._postgres is not None, "the database was given"
        return self._postgres

    def start_redis(self) -> None:
        """Start our own Valkey, after a crash too, and wait until it answers."""
        self._valkey = EmbeddedValkey.start(self.home / "valkey")

    @property
    def redis(self) -> EmbeddedValkey:
        """Our own Valkey."""
        assert self._valkey is not None, "Redis was given"
        return self._valkey

    def start_exchange(self) -> None:
        """Start our own exchange, with all it remembers, and wait until it takes requests."""
        exchange = Program(name="the paper exchange", log=self.home / "exchange.log")
        self._exchange = exchange
        options: dict[str, object] = {"port": urlsplit(self.exchange_url).port, "source": self.source}
        options |= {"directory": self.home / "exchange", "seed": self.seed, "speed": self.speed}
        arguments = ["paper", *(f"--{name}={value}" for name, value in options.items())]
        exchange.start(arguments, _foreign_environ())
        exchange.wait_until(lambda: _answers(f"{self.exchange_url}/_ctl/clock"))

    def kill_exchange(self) -> None:
        """kill -9; what it has told anybody is in its journal."""
        if self._exchange is not None:
            self._exchange.end(signal.SIGKILL)

    def start_gateway(self) -> None:
        """Start it and wait until it takes requests."""
        gateway = Program(name="the gateway", log=self.home / "gateway.log")
        self._gateway = gateway
        gateway.start(["serve"], self.environ)
        gateway.wait_until(lambda: _answers(f"{self.url}/health/ready"))

    def kill_gateway(self) -> None:
        """kill -9: no handler runs, nothing is flushed, nobody is told."""
        if self._gateway is not None:
            self._gateway.end(signal.SIGKILL)

    @contextmanager
    def gateway_asleep(self) -> Iterator[None]:
        """SIGSTOP: it holds sockets and locks and does nothing; then it goes on as if nothing had been."""
        child = self._gateway.child if self._gateway is not None else None
        if child is None:
            yield
            return
        child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.send_signal(signal.SIGCONT)

    @property
    def gateway_runs(self) -> bool:
        return self._gateway is not None and self._gateway.is_running

    def watch(self) -> None:
        """Return only when a process of ours has ended by itself; raises StageFailed."""
        programs = [part for part in (self._exchange, self._gateway) if part is not None]
        while all(part.is_running for part in programs):
            time.sleep(0.2)
        ended = next(part for part in programs if not part.is_running)
        raise StageFailed(f"{ended.name} ended; the end of {ended.log}:\n{ended.last_words}")

    def close(self) -> None:
        """Stop everything in order: whoever talks first, whoever listens last."""
        for program in (self._gateway, self._exchange):
            if program is not None:
                program.end(signal.SIGTERM)
        for server in (self._valkey, self._postgres):
            if server is not None:
                server.stop()


@contextmanager
def temporary_home(name: str, *, keep: bool = False) -> Iterator[Path]:
    """A temporary folder that the user of the embedded Postgres may pass through; `keep` leaves it there."""
    folder = Path(tempfile.mkdtemp(prefix=f"gateway-{name}-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.create_server((LOCAL, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int, *, within: float = 0) -> bool:
    """Whether a server can listen on this port, now or after so many seconds; 0 asks for any."""
    deadline = time.monotonic() + within
    while True:
        try:
            socket.create_server((LOCAL, port)).close()
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True


def _foreign_environ() -> dict[str, str]:
    """Our environment without anything that would configure a gateway."""
    ours = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in ours}


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
