"""The embedded Postgres: private, shared by all who start it, and back after a crash."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedServerFailed
from gateway.adapters.embedded.process import socket_home

SPAWN = multiprocessing.get_context("spawn")


def start_and_tell_pid(directory: Path, programs: Path | None) -> int:
    return EmbeddedPostgres.start(directory, programs=programs).pid


def ask(server: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def tell(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)


def test_durability_is_switched_on(postgres: EmbeddedPostgres) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert ask(postgres, f"show {setting}") == "on"


def test_it_listens_on_a_socket_only_its_owner_can_reach_and_nowhere_else(postgres: EmbeddedPostgres) -> None:
    socket = postgres.sockets / ".s.PGSQL.5432"
    assert ask(postgres, "show listen_addresses") == ""
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700


def test_a_second_start_joins_the_running_server(postgres: EmbeddedPostgres) -> None:
    assert EmbeddedPostgres.start(postgres.directory).pid == postgres.pid


def test_starting_it_leaves_the_modes_of_the_folders_above_as_they_were(
    tmp_path: Path, postgres_programs: Path | None
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    EmbeddedPostgres.start(private / "postgres", programs=postgres_programs).stop()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_processes_that_start_it_at_once_share_one_server(
    tmp_path: Path, postgres_programs: Path | None
) -> None:
    with SPAWN.Pool(3) as pool:
        pids = pool.starmap(start_and_tell_pid, [(tmp_path / "postgres", postgres_programs)] * 3)
    EmbeddedPostgres(directory=tmp_path / "postgres").stop()
    assert len(set(pids)) == 1
    assert 0 not in pids


def test_what_was_acknowledged_is_there_after_a_kill(
    private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    tell(private_postgres, "create table kept (n int)")
    tell(private_postgres, "insert into kept values (42)")
    private_postgres.kill()
    assert not private_postgres.is_running
    EmbeddedPostgres.start(private_postgres.directory, programs=postgres_programs)
    assert ask(private_postgres, "select n from kept") == 42


def test_a_start_after_a_kill_waits_for_the_children_of_the_dead(
    private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    with psycopg.connect(private_postgres.url()) as connection, ThreadPoolExecutor(1) as pool:
        straggler = connection.info.backend_pid
        os.kill(straggler, signal.SIGSTOP)
        private_postgres.kill()
        start = pool.submit(EmbeddedPostgres.start, private_postgres.directory, programs=postgres_programs)
        with pytest.raises(TimeoutError):
            start.result(timeout=0.5)
        os.kill(straggler, signal.SIGCONT)
        assert start.result().is_running


def test_a_leftover_pid_file_that_names_a_strange_process_does_not_stop_it(
    private_postgres: EmbeddedPostgres, postgres_programs: Path | None
) -> None:
    private_postgres.stop()
    (private_postgres.directory / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert not private_postgres.is_running
    assert EmbeddedPostgres.start(private_postgres.directory, programs=postgres_programs).pid != os.getpid()


def test_stopping_twice_is_harmless(private_postgres: EmbeddedPostgres) -> None:
    private_postgres.stop()
    private_postgres.stop()
    assert private_postgres.pid == 0


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(
    tmp_path: Path, postgres_programs: Path | None
) -> None:
    server = EmbeddedPostgres.start(tmp_path / ("long" * 30), programs=postgres_programs)
    assert ask(server, "select 1") == 1
    server.stop()
    assert server.sockets.parent != server.directory
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    server.sockets.rmdir()


def test_a_short_socket_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30)
    home = socket_home(directory, ".s.PGSQL.5432")
    home.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedServerFailed, match="belongs to somebody else"):
            EmbeddedPostgres.start(directory)
    finally:
        home.unlink()


def test_a_setting_postgres_does_not_know_is_reported_with_its_log(
    tmp_path: Path, postgres_programs: Path | None
) -> None:
    with pytest.raises(EmbeddedServerFailed, match="no_such_setting"):
        EmbeddedPostgres.start(tmp_path, settings={"no_such_setting": "1"}, programs=postgres_programs)


def test_an_initialization_that_was_cut_short_is_begun_again(
    tmp_path: Path, postgres_programs: Path | None
) -> None:
    (tmp_path / "data.new" / "base").mkdir(parents=True)
    server = EmbeddedPostgres.start(tmp_path, programs=postgres_programs)
    assert ask(server, "select 1") == 1
    server.stop()


def test_a_database_is_made_and_dropped_while_somebody_is_connected(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("passing")
    with psycopg.connect(postgres.url("passing"), autocommit=True) as connection:
        connection.execute("select 1")
        postgres.drop_database("passing")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
