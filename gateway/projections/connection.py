"""Connections of the projections' own database role."""

from __future__ import annotations

from typing import Any, Final

from psycopg import AsyncConnection

from gateway.ledger.connection import conninfo

Connection = AsyncConnection[Any]

ROLE: Final = "ledger_proj"


async def connect(url: str, *, hurried: bool = True) -> Connection:
    """A connection that may read the log and write the read tables, and nothing else.

    `hurried` bounds every wait, as following must; a rebuild takes its time. Without synchronous commit:
    rows and checkpoint are lost together, and are folded again.
    """
    connection = await AsyncConnection.connect(conninfo(url, role=ROLE, limits=hurried), autocommit=True)
    await connection.execute("set timezone to 'UTC'; set synchronous_commit to off")
    return connection
