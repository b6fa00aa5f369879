"""Brings a database to the newest schema; the migrations also ship inside the wheel."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

PACKAGE = Path(__file__).resolve().parent.parent


def upgrade(owner_url: str) -> None:
    """Migrate to the newest revision; safe to run from several processes at once."""
    config = _config()
    config.attributes["owner_url"] = _sqlalchemy_url(owner_url)
    command.upgrade(config, "head")


def current(url: str) -> str | None:
    """The revision a database stands at, None where nothing was ever migrated."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select to_regclass('public.alembic_version')").fetchone()
        if row is None or row[0] is None:
            return None
        version = connection.execute("select version_num from public.alembic_version").fetchone()
        return None if version is None else str(version[0])


def newest() -> str | None:
    """The revision this build wants."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    shipped = PACKAGE / "_alembic"
    config = Config()
    location = shipped if shipped.is_dir() else PACKAGE.parent / "alembic"
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def _sqlalchemy_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else url
