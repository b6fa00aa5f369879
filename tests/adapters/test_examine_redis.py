"""The examination of Redis."""

from __future__ import annotations

import pytest
import redis

from gateway.adapters.embedded import EmbeddedValkey
from gateway.adapters.examine import Finding, examine_redis
from tests.kit.covers import covers


async def complaints(url: str) -> dict[str, Finding]:
    return {finding.subject: finding for finding in await examine_redis(url) if not finding.ok}


def configure(server: EmbeddedValkey, name: str, value: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set(name, value)


async def test_the_embedded_server_is_as_it_should_be(redis_url: str) -> None:
    assert await complaints(redis_url) == {}


@covers("FM:F-042")
@pytest.mark.parametrize(
    ("setting", "value", "subject"),
    [("maxmemory-policy", "allkeys-lru", "redis memory"), ("appendonly", "no", "redis persistence")],
)
async def test_a_server_that_may_forget_is_found(
    private_valkey: EmbeddedValkey, setting: str, value: str, subject: str
) -> None:
    configure(private_valkey, setting, value)
    assert (await complaints(private_valkey.url)).keys() == {subject}


async def test_a_server_that_does_not_answer_is_one_finding(private_valkey: EmbeddedValkey) -> None:
    private_valkey.stop()
    assert (await complaints(private_valkey.url)).keys() == {"redis"}


async def test_a_server_that_hides_its_settings_is_said_to(private_valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(private_valkey.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-config")
    assert (await complaints(private_valkey.url)).keys() == {"redis settings"}
