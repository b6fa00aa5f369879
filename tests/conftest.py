"""The servers every test may use: one real Postgres and one real Valkey for the whole run."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from gateway.ledger import migrate

SERVERS = "GATEWAY_TEST_SERVERS"  # the folder the processes of one run share
PROGRAMS = "GATEWAY_TEST_PG_BIN"  # run against another Postgres than the wheel's
MIGRATED = "migrated"
STARTED_HERE = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background would hand on deafness
    if SERVERS not in os.environ:
        os.environ[SERVERS] = str(Path(tempfile.mkdtemp(prefix="gateway-tests-")).resolve())
        config.stash[STARTED_HERE] = True
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a run cut short stops them too


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers where the run began; the workers of xdist leave them to each other."""
    if config.stash.get(STARTED_HERE, False):
        servers = Path(os.environ.pop(SERVERS))
        EmbeddedPostgres(directory=servers / "postgres").stop()
        EmbeddedValkey(directory=servers / "valkey").stop()
        shutil.rmtree(servers)


@pytest.fixture(scope="session")
def servers() -> Path:
    """The folder of the shared servers."""
    return Path(os.environ[SERVERS])


@pytest.fixture(scope="session")
def postgres_programs() -> Path | None:
    """The folder of the Postgres programs to test with; None stands for the wheel's."""
    return Path(os.environ[PROGRAMS]) if PROGRAMS in os.environ else None


@pytest.fixture(scope="session")
def postgres(servers: Path, postgres_programs: Path | None) -> EmbeddedPostgres:
    """The shared server: make databases in it, but neither stop nor kill it."""
    settings = {"max_connections": "300", "shared_buffers": "64MB"}
    return EmbeddedPostgres.start(servers / "postgres", settings=settings, programs=postgres_programs)


@pytest.fixture
def private_postgres(tmp_path: Path, postgres_programs: Path | None) -> Iterator[EmbeddedPostgres]:
    """A server of one's own, to kill and to restart."""
    server = EmbeddedPostgres.start(tmp_path / "postgres", programs=postgres_programs)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres, servers: Path) -> str:
    """The name of a database at the newest migration, to copy; made once for all processes of the run."""
    with (servers / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = servers / "migrated.done"
        if not done.exists():
            postgres.drop_database(MIGRATED)
            postgres.create_database(MIGRATED)
            migrate.upgrade(postgres.url(MIGRATED))
            done.touch()
    return MIGRATED


@pytest.fixture
def database(postgres: EmbeddedPostgres, migrated: str) -> Iterator[str]:
    """The owner's URL of a fresh database at the newest migration."""
    name = f"test_{uuid4().hex}"
    postgres.create_database(name, template=migrated)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def valkey(servers: Path) -> EmbeddedValkey:
    """The shared server: use `redis_url`; do not stop or kill it, and flush only your own database."""
    return EmbeddedValkey.start(servers / "valkey")


@pytest.fixture
def private_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server of one's own, to kill and to restart."""
    server = EmbeddedValkey.start(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The URL of an empty database that no other test uses at the same time."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    url = valkey.database_url(int(worker.removeprefix("gw")))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
