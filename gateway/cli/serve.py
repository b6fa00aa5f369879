"""`gateway serve` and `gateway migrate`: what a deployment calls."""

from __future__ import annotations

from rich.console import Console

from gateway.aggregates.refusals import LedgerUnavailable
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
    """Bring the database to this build's schema, with the login that owns it."""
    owner = settings.database_owner_url or settings.database_url
    migrations.upgrade(owner.get_secret_value())
    console.print(f"the database is at migration {migrations.newest()}")
