"""How this room talks to Postgres: role, limits on waiting, and errors in the ledger's words."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import ByteaBinaryLoader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.ledger.envelope import Row

log = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 2
POOL_TIMEOUT: Final = 2.0
SILENCE_TIMEOUT: Final = 5000
"""Milliseconds after which a peer that acknowledges nothing counts as gone."""

LIMITS: Final = {
    "lock_timeout": "1s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "2s",
}

CONFLICT: Final = (errors.UniqueViolation, errors.IntegrityConstraintViolation)
"""A position, a version or a command id is taken: somebody was there before."""

HARMLESS: Final = (
    *CONFLICT,
    errors.LockNotAvailable,
    errors.QueryCanceled,
    errors.SerializationFailure,
    errors.DeadlockDetected,
)
"""What leaves a connection as good as it was, once it has rolled back."""

TOO_MUCH: Final = (
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    errors.TooManyColumns,
    errors.TooManyArguments,
)
"""What speaks of the command, although psycopg counts it among the troubles of the server."""

UNAVAILABLE: Final = (
    psycopg.OperationalError,
    errors.InvalidTransactionState,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.InFailedSqlTransaction,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    OSError,
    TimeoutError,
)
"""What says nothing of the command and everything of the database: try again, then give up with 503."""

Pool = AsyncConnectionPool[AsyncConnection[Row]]


def conninfo(url: str, *, role: str | None, limits: bool = True) -> str:
    """The connection string with our settings, which win over those of the role and the database."""
    settings = {
        "default_transaction_isolation": "read\\ committed",
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    if role is not None:
        settings["role"] = role
    if limits:
        settings |= LIMITS
    else:
        settings |= dict.fromkeys(LIMITS, "0")
    given = conninfo_to_dict(url)
    options = " ".join([str(given.pop("options", "") or ""), *(f"-c {k}={v}" for k, v in settings.items())])
    given.setdefault("connect_timeout", CONNECT_TIMEOUT)
    given.setdefault("tcp_user_timeout", SILENCE_TIMEOUT)
    return make_conninfo("", **given, options=options.strip())


async def connect(conninfo: str) -> AsyncConnection[Row]:
    connection = await AsyncConnection.connect(conninfo, autocommit=True)
    await configure(connection)
    return connection


async def configure(connection: AsyncConnection[Row]) -> None:
    """Binary times come as bytes, for `instant`: a tenth of the price of psycopg's own loader."""
    connection.adapters.register_loader("timestamptz", ByteaBinaryLoader)


def open_pool(conninfo: str, size: int) -> Pool:
    """A closed pool; whoever opens it closes it."""
    return AsyncConnectionPool(
        conninfo,
        min_size=1,
        max_size=size,
        open=False,
        kwargs={"autocommit": True},
        timeout=POOL_TIMEOUT,
        reconnect_timeout=POOL_TIMEOUT,
        configure=configure,
        check=AsyncConnectionPool.check_connection,
    )


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[AsyncCursor[Row]]:
    """A binary cursor. Raises LedgerUnavailable where the database does not answer in time."""
    try:
        async with pool.connection() as connection:
            yield connection.cursor(binary=True)
    except UNAVAILABLE as error:
        raise away(error) from error


def away(error: BaseException) -> LedgerUnavailable:
    """What callers may hear of a database in trouble. The cause names hosts and rows: it stays in the log."""
    log.warning("ledger.away", extra={"error": str(error)})
    return LedgerUnavailable("the ledger does not answer")
