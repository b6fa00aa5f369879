"""Postgres refuses to run as root; this is how root runs it all the same and leaves the machine as it was."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.embedded.process import EmbeddedServerFailed, run

_NULL = Path(os.devnull)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the server runs as: ourselves, ourselves under another number, or another user."""

    prefix: tuple[str, ...] = ()
    user: str | None = None

    @property
    def number(self) -> int:
        """The user id the machine knows the server by; a namespace changes only what the server sees."""
        return pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()


MYSELF = Identity()
NAMESPACED = Identity(prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"))
NOBODY = Identity(user="nobody")


def suitable_identity() -> Identity:
    """Choose: an ordinary user runs it directly; root in a user namespace or, where refused, as nobody."""
    if os.geteuid() != 0:
        return MYSELF
    return NAMESPACED if _namespaces_work() else NOBODY


def _namespaces_work() -> bool:
    """Try it: container runtimes forbid it by default, and older `unshare` cannot map users."""
    return shutil.which("unshare") is not None and run([*NAMESPACED.prefix, "true"], _NULL) == 0


def hand_over(directory: Path, identity: Identity) -> None:
    """Give the directory to the other user; raises EmbeddedServerFailed when that user cannot reach it."""
    if identity.user is None:
        return
    account = pwd.getpwnam(identity.user)
    os.chown(directory, account.pw_uid, account.pw_gid)
    if not _reaches(identity, directory):
        raise EmbeddedServerFailed(
            f"user {identity.user} cannot reach {directory}: choose a directory outside private folders, "
            "or start as an ordinary user"
        )


def reachable_programs(programs: Path, directory: Path, identity: Identity) -> Path:
    """Give the folder of the programs or, when the other user may not enter it, a copy in `directory`."""
    if _reaches(identity, programs / "postgres"):
        return programs
    install, package = programs.parent, programs.parent.parent
    copy = directory / "programs" / package.name
    if not copy.exists():
        shutil.copytree(install, copy / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
    return copy / install.name / programs.name


def _reaches(identity: Identity, path: Path) -> bool:
    return run([*identity.prefix, "test", "-x", path], _NULL, user=identity.user) == 0
