"""Will this Redis keep what the mirror writes?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.adapters.examine.finding import Finding, found

_SECONDS: Final = 2.0

Settings = Mapping[str | None, str | None]


async def examine_redis(url: str) -> list[Finding]:
    """Examine the server of the safety mirror: it must answer, evict nothing and survive a restart."""
    client: Redis = Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        decode_responses=True,
    )
    async with client:
        try:
            await client.ping()
        except RedisError as error:
            advice = "start Redis, or correct REDIS_URL or REDIS_HOST; until then every new risk is refused"
            return [Finding(subject="redis", ok=False, message=str(error), what_to_do=advice)]
        answers = Finding(subject="redis", ok=True, message="Redis answers")
        try:
            settings = await client.config_get("maxmemory-policy", "appendonly", "save")
        except RedisError:
            advice = "ask its keeper for maxmemory-policy noeviction and appendonly yes"
            unread = Finding(
                subject="redis settings", ok=False, message="CONFIG is closed to us", what_to_do=advice
            )
            return [answers, unread]
    return [answers, _keeps(settings), _persists(settings)]


def _keeps(settings: Settings) -> Finding:
    policy = settings["maxmemory-policy"]
    return found(
        "redis memory",
        ok=policy == "noeviction",
        good="nothing is evicted",
        bad=f"maxmemory-policy is {policy}: safety state can vanish",
        what_to_do="config set maxmemory-policy noeviction",
    )


def _persists(settings: Settings) -> Finding:
    return found(
        "redis persistence",
        ok=settings["appendonly"] == "yes",
        good="every write is kept in the append-only file",
        bad="a restart forgets: used nonces could be used again, and the mirror must be rebuilt first",
        what_to_do="config set appendonly yes, and appendfsync always or everysec",
    )
