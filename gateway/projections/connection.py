"""Connections of the projections' own database role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection

from gateway.ledger.connection import UNAVAILABLE, away, conninfo

Connection = AsyncConnection[Any]

ROLE: Final = "ledger_proj"


@asynccontextmanager
async def connected(url: str, *, hurried: bool = True) -> AsyncIterator[Connection]:
    """A connection that may read the log and write the read tables, and nothing else.

    `hurried` bounds every wait, as following must; a rebuild takes its time. Without synchronous commit:
    rows and checkpoint are lost together, and are folded again. Raises LedgerUnavailable.
    """
    try:
        async with await AsyncConnection.connect(
            conninfo(url, role=ROLE, limits=hurried), autocommit=True
        ) as connection:
            await connection.execute("set timezone to 'UTC'; set synchronous_commit to off")
            yield connection
    except UNAVAILABLE as error:
        raise away(error) from error
