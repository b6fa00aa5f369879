"""Who the embedded Postgres runs as: ourselves, or, for root, somebody who may."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedServerFailed
from gateway.adapters.embedded.identity import MYSELF, NOBODY, Identity, reachable_programs, suitable_identity
from gateway.adapters.embedded.postgres import find_programs
from gateway.adapters.embedded.process import Command, run

WE_ARE_ROOT = os.geteuid() == 0
IDENTITIES = (suitable_identity(), NOBODY) if WE_ARE_ROOT else (MYSELF,)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder every user can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="gateway-public-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


@pytest.fixture
def private_programs(tmp_path: Path, postgres_programs: Path | None) -> Path:
    """The Postgres programs in a folder only we can reach."""
    install = (postgres_programs or find_programs()).parent
    shutil.copytree(install, tmp_path / "package" / install.name, symlinks=True)
    (tmp_path / "package").chmod(0o700)
    return tmp_path / "package" / install.name / "bin"


@pytest.mark.parametrize("identity", IDENTITIES)
def test_it_runs_and_recovers_as_whom_it_was_told(
    identity: Identity, public_folder: Path, postgres_programs: Path | None
) -> None:
    directory = public_folder / "postgres"
    server = EmbeddedPostgres.start(directory, programs=postgres_programs, identity=identity)
    server.kill()
    server = EmbeddedPostgres.start(directory, programs=postgres_programs, identity=identity)
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("select current_user").fetchone() == ("gateway",)
    server.stop()
    assert (directory / "data" / "PG_VERSION").stat().st_uid == identity.number


@pytest.mark.parametrize("identity", IDENTITIES)
def test_programs_the_user_cannot_reach_are_copied_to_where_it_can(
    identity: Identity, public_folder: Path, private_programs: Path
) -> None:
    found = reachable_programs(private_programs, public_folder, identity)
    command: Command = [*identity.prefix, found / "postgres", "--version"]
    assert run(command, public_folder / "log", user=identity.user) == 0
    assert (public_folder / "log").read_text().startswith("postgres (PostgreSQL)")


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_folder_the_user_cannot_reach_is_refused_with_advice(
    identity: Identity, tmp_path: Path, postgres_programs: Path | None
) -> None:
    tmp_path.chmod(0o700)
    directory = tmp_path / "postgres"
    if identity.user is None:
        EmbeddedPostgres.start(directory, programs=postgres_programs, identity=identity).stop()
    else:
        with pytest.raises(EmbeddedServerFailed, match="choose a directory outside private folders"):
            EmbeddedPostgres.start(directory, programs=postgres_programs, identity=identity)
