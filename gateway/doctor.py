"""Before the first order: is everything this configuration names as it has to be?"""

from __future__ import annotations

import asyncio
from datetime import datetime

from gateway.adapters.examine import (
    Finding,
    examine_broker,
    examine_postgres,
    examine_projections_login,
    examine_redis,
)
from gateway.ledger import migrate
from gateway.settings import Settings


async def diagnose(settings: Settings, now: datetime) -> list[Finding]:
    """Look at database, Redis and broker at once, changing nothing; `now` is our clock, in UTC."""
    findings = await asyncio.gather(
        examine_postgres(
            settings.database_url.get_secret_value(),
            newest=migrate.newest(),
            owner_may_run=settings.is_relaxed,
        ),
        _projections_login(settings),
        examine_redis(settings.redis_address.get_secret_value()),
        _broker(settings, now),
    )
    return [finding for part in findings for finding in part]


async def _projections_login(settings: Settings) -> list[Finding]:
    url = settings.projections_database_url or settings.database_url
    return [await examine_projections_login(url.get_secret_value())]


async def _broker(settings: Settings, now: datetime) -> list[Finding]:
    if settings.alpaca_api_key_id is None or settings.alpaca_api_secret_key is None:
        return [Finding(subject="broker", ok=True, message="not asked: DRY_RUN, and there are no keys")]
    return await examine_broker(
        settings.alpaca_base_url,
        key=settings.alpaca_api_key_id.get_secret_value(),
        secret=settings.alpaca_api_secret_key.get_secret_value(),
        paper=settings.alpaca_paper,
        now=now,
    )
