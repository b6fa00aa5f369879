"""Runs the migrations as the owner, one process at a time, in one transaction."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine, pool, text

ONE_MIGRATION_AT_A_TIME = 1634493805


def run() -> None:
    url = context.config.attributes.get("owner_url") or os.environ["DATABASE_OWNER_URL"]
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ONE_MIGRATION_AT_A_TIME})
        context.configure(connection=connection)
        context.run_migrations()


run()
