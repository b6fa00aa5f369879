"""`gateway serve` and `gateway migrate`: what a deployment calls."""

from __future__ import annotations

from rich.console import Console
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.aggregates.refusals import LedgerUnavailable
from gateway.cli.endings import CommandFailed
from gateway.ledger import migrate as migrations
from gateway.main import lifecycle
from gateway.settings import ConfigurationErrors, Settings


def serve(settings: Settings) -> None:
    """Raises LedgerUnavailable when there is no usable ledger, ConfigurationErrors for the wrong account."""
    try:
        lifecycle.serve(settings)
    except lifecycle.LedgerNeverCame as reason:
        raise LedgerUnavailable(str(reason)) from reason
    except lifecycle.BrokerContradicts as reason:
        raise ConfigurationErrors([str(reason)]) from reason


def migrate(settings: Settings, console: Console) -> None:
    """Bring the database to this build's schema, with the login that owns it.

    Raises LedgerUnavailable when it does not answer, CommandFailed when it does not obey.
    """
    owner = settings.database_owner_url or settings.database_url
    try:
        migrations.upgrade(owner.get_secret_value())
    except OperationalError as error:
        raise LedgerUnavailable(str(error.orig).strip()) from error
    except DBAPIError as error:
        raise CommandFailed(
            f"nothing was migrated: {str(error.orig).strip()}\n"
            "DATABASE_OWNER_URL has to name a login that owns the database."
        ) from error
    console.print(f"the database is at migration {migrations.newest()}")
