"""Is this the database the ledger needs, and can it only be appended to?"""

from __future__ import annotations

from typing import Any, Final, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from gateway.adapters.examine.finding import Finding, found

_CONNECT_SECONDS: Final = 5
_DURABILITY: Final = ("fsync", "full_page_writes", "synchronous_commit")
_MIGRATE: Final = "run `gateway migrate` with DATABASE_OWNER_URL"

_LOGIN: Final = """
select session_user as name,
       rolsuper or rolbypassrls or pg_has_role(session_user, 'ledger_owner', 'member') as too_much,
       pg_has_role(session_user, 'ledger_app', 'member') as enough
  from pg_roles where rolname = session_user
"""
_PROJECTIONS_LOGIN: Final = """
select session_user as name, pg_has_role(session_user, 'ledger_proj', 'member') as enough
"""
_CHANGEABLE: Final = """
select string_agg(relname, ', ' order by relname) as tables
  from pg_class
 where relnamespace = 'ledger'::regnamespace and relkind = 'r'
   and (has_table_privilege('ledger_app', oid, 'update, delete, truncate')
        or has_any_column_privilege('ledger_app', oid, 'update'))
"""
_UNGUARDED: Final = """
select string_agg(relname, ', ' order by relname) as tables
  from pg_class
 where relnamespace = 'ledger'::regnamespace and relkind = 'r'
   and 2 > (select count(*) from pg_trigger
             where tgrelid = pg_class.oid and tgname in ('no_change', 'no_truncate') and tgenabled = 'A')
"""


async def examine_postgres(url: str, *, newest: str | None, owner_may_run: bool) -> list[Finding]:
    """Examine the ledger's database.

    `newest` is the revision this build wants. `owner_may_run` says that a login that could change the ledger
    is acceptable, as it is on embedded servers and in dev and test.
    """
    try:
        connection = await _connect(url)
    except psycopg.OperationalError as error:
        advice = "start Postgres, or correct DATABASE_URL; `gateway run` brings its own when it is unset"
        return [Finding(subject="database", ok=False, message=_first_line(error), what_to_do=advice)]
    async with connection:
        findings = [await _reachable(connection), await _direct(connection), await _durable(connection)]
        migrated = await _migrated(connection, newest)
        findings.append(migrated)
        if migrated.ok:
            findings += [
                await _login(connection, owner_may_run=owner_may_run),
                await _append_only(connection),
                await _guarded(connection),
            ]
    return findings


async def examine_projections_login(url: str) -> Finding:
    """May the login that follows the log write the read tables?"""
    try:
        connection = await _connect(url)
    except psycopg.OperationalError as error:
        advice = "start Postgres, or correct PROJECTIONS_DATABASE_URL"
        return Finding(subject="database", ok=False, message=_first_line(error), what_to_do=advice)
    async with connection:
        row = await _row(connection, _PROJECTIONS_LOGIN)
    return found(
        "projections login",
        ok=row["enough"],
        good=f"{row['name']} may write the read tables",
        bad=f"{row['name']} is not a member of ledger_proj",
        what_to_do="set PROJECTIONS_DATABASE_URL to a login that is; without it DATABASE_URL has to be"
        " a member of both ledger_app and ledger_proj",
    )


async def _connect(url: str) -> AsyncConnection[DictRow]:
    return await AsyncConnection.connect(
        url, autocommit=True, connect_timeout=_CONNECT_SECONDS, row_factory=dict_row
    )


async def _reachable(connection: AsyncConnection[DictRow]) -> Finding:
    row = await _row(connection, "show server_version")
    return Finding(subject="database", ok=True, message=f"Postgres {row['server_version']} answers")


async def _direct(connection: AsyncConnection[DictRow]) -> Finding:
    row = await _row(connection, "select pg_backend_pid() as pid")
    return found(
        "connection",
        ok=row["pid"] == connection.info.backend_pid,
        good="nothing stands between us and Postgres",
        bad="a pooler stands between us and Postgres; session locks may not survive it",
        what_to_do="point DATABASE_URL at Postgres itself",
    )


async def _durable(connection: AsyncConnection[DictRow]) -> Finding:
    row = await _row(
        connection, "select " + ", ".join(f"current_setting('{name}') as {name}" for name in _DURABILITY)
    )
    off = [name for name in _DURABILITY if row[name] in {"off", "local"}]
    return found(
        "durability",
        ok=not off,
        good=f"{', '.join(_DURABILITY)} are on",
        bad=f"{', '.join(off)} is off: an acknowledged event can be lost",
        what_to_do="switch it on in postgresql.conf and reload",
    )


async def _migrated(connection: AsyncConnection[DictRow], newest: str | None) -> Finding:
    try:
        row = await _row(
            connection, "select string_agg(version_num, ', ') as version from public.alembic_version"
        )
        version = row["version"]
    except psycopg.errors.UndefinedTable:
        version = None
    except psycopg.errors.InsufficientPrivilege:
        version = "unknown to this login"
    return found(
        "migrations",
        ok=version == newest,
        good=f"the schema is at {newest}",
        bad=f"the schema is at {version or 'nothing'}, this build wants {newest}",
        what_to_do=_MIGRATE,
    )


async def _login(connection: AsyncConnection[DictRow], *, owner_may_run: bool) -> Finding:
    row = await _row(connection, _LOGIN)
    if not row["enough"]:
        return Finding(
            subject="login",
            ok=False,
            message=f"{row['name']} is not a member of ledger_app",
            what_to_do=f"as the owner: grant ledger_app to {row['name']}",
        )
    return found(
        "login",
        ok=owner_may_run or not row["too_much"],
        good=f"{row['name']} may append" + (" (and more, which is fine here)" if row["too_much"] else ""),
        bad=f"{row['name']} could change the ledger: it is its owner or a superuser",
        what_to_do="log in as a member of ledger_app only; keep the owner for DATABASE_OWNER_URL",
    )


async def _append_only(connection: AsyncConnection[DictRow]) -> Finding:
    tables = (await _row(connection, _CHANGEABLE))["tables"]
    return found(
        "grants",
        ok=tables is None,
        good="ledger_app may insert and select, nothing else",
        bad=f"ledger_app may change {tables}",
        what_to_do="as the owner: revoke update, delete, truncate on these tables from ledger_app",
    )


async def _guarded(connection: AsyncConnection[DictRow]) -> Finding:
    tables = (await _row(connection, _UNGUARDED))["tables"]
    return found(
        "triggers",
        ok=tables is None,
        good="every ledger table refuses change, to everybody",
        bad=f"the triggers that refuse change are missing or off on {tables}",
        what_to_do="find out who did this; then as the owner: alter table … enable always trigger …",
    )


async def _row(connection: AsyncConnection[DictRow], query: LiteralString) -> dict[str, Any]:
    row = await (await connection.execute(query)).fetchone()
    return row or {}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
