"""The ledger as commands read it: with the role of the projections, which may read and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ledger.catalog import CATALOG
from gateway.ledger.log import Log
from gateway.projections import offline
from gateway.projections.connection import connected
from gateway.settings import Settings


def reading_url(settings: Settings) -> str:
    url = settings.projections_database_url or settings.database_url
    return url.get_secret_value()


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[Log]:
    """Raises LedgerUnavailable, which says why."""
    async with connected(reading_url(settings)), offline.reading(reading_url(settings), CATALOG) as log:
        yield log
