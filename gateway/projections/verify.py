"""Proving the live tables: each must equal a fresh fold of the log up to its own checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final

from psycopg import IsolationLevel

from gateway.aggregates.refusals import ProjectionBehind
from gateway.ledger.log import Log
from gateway.projections import registry
from gateway.projections.comparison import Comparison, compare
from gateway.projections.connection import connected
from gateway.projections.folding import Folding
from gateway.projections.projection import Projection, Unfoldable
from gateway.projections.shelf import Shelf

BITE: Final = 500


async def fold_log(
    log: Log, projections: Collection[Projection[Any]], *, upto: int, stream: str | None = None
) -> Folding:
    """The projections as they were when the log ended at `upto`, folded from the first event.

    In small bites, because it is asked for inside a serving process too, and without the events nobody
    here listens to. `stream` is the only one that matters. Raises Unfoldable.
    """
    folding = Folding(projections)
    heard = {beginning for projection in projections for beginning in projection.listens}
    name = heard.pop() if len(heard) == 1 else None
    if upto > 0:
        async for batch in log.scan(upto=upto, batch=BITE, stream=stream, name=name):
            folding.take(batch)
            await asyncio.sleep(0)
    return folding


@contextmanager
def legible() -> Iterator[None]:
    """For readers of the log itself. Raises ProjectionBehind where this build cannot read an event."""
    try:
        yield
    except Unfoldable as error:
        raise ProjectionBehind(f"the log cannot be read by this build: {error}") from error


async def verify_projections(
    url: str, log: Log, projections: Collection[Projection[Any]]
) -> list[Comparison]:
    """Compare every live table with the log, while both go on growing.

    A table that another version of its projection made is left out: its rebuild replaces it anyway.
    """
    by_name = {projection.name: projection for projection in projections}
    async with connected(url, hurried=False) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        async with connection.transaction():
            entries = await registry.entries(connection, list(by_name))
            current = [e for e in entries.values() if e.version == by_name[e.name].version]
            current.sort(key=lambda entry: entry.position)
            found = []
            for position, group in groupby(current, key=lambda entry: entry.position):
                together = list(group)
                folding = await fold_log(log, [by_name[e.name] for e in together], upto=position)
                for entry in together:
                    shelf = Shelf(by_name[entry.name], entry.table_name)
                    found.append(await compare(connection, shelf, folding.rows[entry.name], position))
            return found
