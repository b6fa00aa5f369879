"""SQLAlchemy Core statements, run by psycopg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import namedtuple_row
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect
from sqlalchemy.schema import DDLElement
from sqlalchemy.sql import ClauseElement

_DIALECT: Final = psycopg_dialect()  # type: ignore[no-untyped-call]


def compiled(statement: ClauseElement) -> tuple[str, Mapping[str, Any]]:
    """The statement as text with `%(name)s` places, and what goes into them."""
    done = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return done.string, dict(done.params or {})


def ddl(statement: DDLElement) -> str:
    return str(statement.compile(dialect=_DIALECT))


async def rows(connection: AsyncConnection[Any], statement: ClauseElement) -> list[Any]:
    """Every row of the answer, as named tuples."""
    text, values = compiled(statement)
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(text.encode(), values)
        return await cursor.fetchall()
