"""The embedded Valkey: private, shared by all who start it, and it forgets nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import redis

from gateway.adapters.embedded import EmbeddedValkey


def connect(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_keeps_everything_and_evicts_nothing(valkey: EmbeddedValkey) -> None:
    with connect(valkey) as client:
        settings = client.config_get("append*", "maxmemory-policy", "save", "port")
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""
    assert settings["port"] == "0"


def test_its_socket_is_private(valkey: EmbeddedValkey) -> None:
    assert stat.S_IMODE(valkey.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(valkey.socket.stat().st_mode) == 0o700


def test_a_second_start_joins_the_running_server(valkey: EmbeddedValkey) -> None:
    assert EmbeddedValkey.start(valkey.directory).pid == valkey.pid


def test_what_was_acknowledged_is_there_after_a_kill(private_valkey: EmbeddedValkey) -> None:
    with connect(private_valkey) as client:
        client.set("kept", "42")
    private_valkey.kill()
    assert not private_valkey.is_running
    EmbeddedValkey.start(private_valkey.directory)
    with connect(private_valkey) as client:
        assert client.get("kept") == "42"


def test_without_persistence_a_restart_begins_empty(tmp_path: Path) -> None:
    server = EmbeddedValkey.start(tmp_path, persist=False)
    with connect(server) as client:
        client.set("lost", "1")
    server.stop()
    EmbeddedValkey.start(tmp_path, persist=False)
    with connect(server) as client:
        assert client.get("lost") is None
    server.stop()


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(tmp_path: Path) -> None:
    server = EmbeddedValkey.start(tmp_path / ("long" * 30))
    with connect(server) as client:
        assert client.ping()
    server.stop()
    server.socket.parent.rmdir()


def test_each_test_gets_an_empty_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")
