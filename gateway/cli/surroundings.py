"""What a command is about: the variables of this shell or, where they name no database, of `gateway run`."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.cli.endings import CommandFailed
from gateway.settings import Settings, load_settings

_NOTICE: Final = "running.json"
_LOCK: Final = "running.lock"


def surroundings() -> Settings:
    """The settings of the gateway this command talks about; raises ConfigurationErrors."""
    return load_settings(variables())


def variables() -> dict[str, str]:
    """Our own variables over those of a gateway that `gateway run` keeps running here."""
    own = dict(os.environ)
    return own if "DATABASE_URL" in own else {**_running(home_of(own)), **own}


def home_of(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("GATEWAY_HOME", "").strip() or Settings.model_fields["gateway_home"].default)


@contextmanager
def occupied(home: Path) -> Iterator[None]:
    """One desk in one folder: two would share its servers, and the first to end would stop them for both.

    The kernel lets go of it however we end. Raises CommandFailed.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandFailed(
                f"another `gateway run` keeps its desk in {home.resolve()}; stop that one, "
                "or start this one elsewhere: GATEWAY_HOME=.gateway-2 HTTP_PORT=8003 gateway run"
            ) from None
        yield


@contextmanager
def announced(home: Path, started_with: Mapping[str, str]) -> Iterator[None]:
    """Let commands in other shells find what runs here; they read it as we do, nobody else can."""
    notice = home / _NOTICE
    notice.unlink(missing_ok=True)
    notice.touch(mode=0o600)
    notice.write_text(json.dumps({"pid": os.getpid(), "variables": dict(started_with)}))
    try:
        yield
    finally:
        notice.unlink(missing_ok=True)


def _running(home: Path) -> dict[str, str]:
    """Empty when nothing runs here; a notice of a process that is gone counts as none."""
    try:
        notice = json.loads((home / _NOTICE).read_text())
        os.kill(notice["pid"], 0)
    except (FileNotFoundError, ProcessLookupError):
        return {}
    found: dict[str, str] = notice["variables"]
    return found
