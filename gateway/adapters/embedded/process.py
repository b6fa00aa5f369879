"""What a server process needs around it: one starter at a time, a private socket, and a certain end."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

Command = Sequence[str | Path]

_LONGEST_SOCKET_PATH = 107  # bytes; sun_path in sockaddr_un is 108 with its closing zero
_PAUSE_SECONDS = 0.01
_LOG_TAIL_BYTES = 2_000

_children: dict[int, subprocess.Popen[bytes]] = {}  # what this process spawned and has not buried yet


class EmbeddedServerFailed(Exception):
    """An embedded server did not start or did not stop; the message carries the end of its log."""


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server of this directory."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def socket_home(directory: Path, socket_name: str) -> Path:
    """Name the folder of a server's unix socket: inside `directory`, unless its path would be too long."""
    home = directory / "run"
    if len(os.fsencode(home / socket_name)) <= _LONGEST_SOCKET_PATH:
        return home
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gateway-{os.geteuid()}-{digest}"


def make_private(home: Path, owners: Container[int]) -> None:
    """Make a folder only its owner can enter; raises EmbeddedServerFailed when a stranger was first."""
    home.mkdir(mode=0o700, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise EmbeddedServerFailed(f"{home} belongs to somebody else: remove it or choose another directory")
    home.chmod(0o700)


def spawn(command: Command, log: Path, *, user: str | None = None) -> int:
    """Start a server that outlives us, its output appended to `log`; gives its process id."""
    account = pwd.getpwnam(user) if user else None
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,  # never a pipe: it would fill up, or break when we go
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=() if account else None,
        )
    _children[child.pid] = child
    return child.pid


def run(command: Command, log: Path, *, user: str | None = None) -> int:
    """Run a program to its end, its output appended to `log`; gives its exit status."""
    return _children.pop(spawn(command, log, user=user)).wait()


def runs(pid: int, mark: str) -> bool:
    """Tell whether this process lives and is our child, or has `mark` on its command line.

    A zombie has no command line, so it is as dead as it looks; a number used again has another one.
    """
    child = _children.get(pid)
    if child is None:
        return pid > 0 and mark in _command_line(pid)
    if child.poll() is None:
        return True
    del _children[pid]
    return False


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
        return ""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
    return os.fsdecode(shown.stdout)


def end(pid: int, mark: str, by: signal.Signals, *, within: float) -> None:
    """Signal a process and wait until it is gone; raises EmbeddedServerFailed when it outlives the wait."""
    if runs(pid, mark):
        with suppress(ProcessLookupError):
            os.kill(pid, by)
    wait_until(lambda: not runs(pid, mark), within=within, what=f"process {pid} did not end")


def wait_until(happened: Callable[[], bool], *, within: float, what: str, log: Path | None = None) -> None:
    """Poll until it happened; raises EmbeddedServerFailed saying `what` and the end of `log` otherwise."""
    deadline = time.monotonic() + within
    while not happened():
        if time.monotonic() >= deadline:
            raise EmbeddedServerFailed(f"{what}\n{log_tail(log)}" if log else what)
        time.sleep(_PAUSE_SECONDS)


def log_tail(log: Path) -> str:
    """Read the last lines a server wrote, for an error message."""
    with suppress(FileNotFoundError):
        return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
    return "(no log)"
