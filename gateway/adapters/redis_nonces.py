"""Nonces of service-to-service calls, remembered in Redis until they could not be used any more."""

from __future__ import annotations

from gateway.adapters.redis_link import RedisLink


class RedisNonces:
    """The Nonces of every process that shares this Redis."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def claim(self, service: str, nonce: str, ttl_seconds: int) -> bool:
        key = f"internal_nonce:{service}:{nonce}"
        return await self._link.command("SET", key, 1, "NX", "EX", max(ttl_seconds, 1)) is not None
