"""The read tables from a process of their own: rebuilt and verified with no gateway around them."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from gateway.ledger.bell import Bell
from gateway.ledger.catalog_types import Catalog
from gateway.ledger.connection import conninfo, open_pool
from gateway.ledger.log import Log
from gateway.projections.comparison import Comparison
from gateway.projections.connection import ROLE
from gateway.projections.projection import Projection
from gateway.projections.rebuild import Progress, rebuild
from gateway.projections.verify import verify_projections

READERS: Final = 2


@contextmanager
def _without_cycle_search() -> Iterator[None]:
    """A fold makes millions of objects and no cycle among them; the search took a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def reading(url: str, catalog: Catalog) -> AsyncIterator[Log]:
    """The log, read with the projections' own role and no hurry."""
    async with open_pool(conninfo(url, role=ROLE, limits=False), READERS) as pool:
        yield Log(pool, catalog, Bell())


async def rebuild_tables(
    url: str,
    catalog: Catalog,
    projections: Collection[Projection[Any]],
    progress: Progress = lambda *_: None,
) -> Sequence[Comparison]:
    """Rebuild, prove and swap. Raises RebuildInProgress, RebuildUnproven, LedgerUnavailable."""
    async with reading(url, catalog) as log:
        with _without_cycle_search():
            return await rebuild(url, log, projections, progress)


async def verify_tables(
    url: str, catalog: Catalog, projections: Collection[Projection[Any]]
) -> Sequence[Comparison]:
    async with reading(url, catalog) as log:
        return await verify_projections(url, log, projections)
