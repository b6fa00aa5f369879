"""How a command ends when it cannot do its work: words that say what to do next, and an exit status."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import httpx2
import typer
from psycopg import OperationalError
from psycopg.errors import UndefinedTable
from rich.console import Console
from rich.text import Text

from gateway.adapters.embedded import EmbeddedServerFailed
from gateway.aggregates.refusals import LedgerUnavailable, Refusal
from gateway.projections.rebuild import RebuildRefused, RebuildUnproven
from gateway.settings import ConfigurationErrors

FAILED: Final = 1
CONFIGURATION: Final = 2
LEDGER_UNREACHABLE: Final = 3
INTERRUPTED: Final = 130
_FILE_WIDTH: Final = 110


class CommandFailed(Exception):
    """The command could not do its work, or a check it made failed; the message says what to do."""


@contextmanager
def explained() -> Iterator[Console]:
    """A console to print on; what the command raises becomes words on standard error and its exit status."""
    logging.getLogger().addHandler(logging.NullHandler())  # the words below say it; a server has its own
    try:
        yield Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except ConfigurationErrors as errors:
        _end(
            CONFIGURATION, str(errors), "`gateway doctor` looks at the rest; docs/settings.md lists them all."
        )
    except (LedgerUnavailable, OperationalError) as error:
        _end(
            LEDGER_UNREACHABLE,
            f"the ledger cannot be reached: {_root(error)}",
            "Is Postgres up, and does DATABASE_URL name it? While `gateway run` runs, leave it unset.",
        )
    except UndefinedTable:
        _end(
            LEDGER_UNREACHABLE,
            "there is no ledger in this database",
            "Does DATABASE_URL name the right one? A new one is made by `gateway migrate`.",
        )
    except Refusal as refusal:
        _end(FAILED, refusal.text)
    except httpx2.TransportError as error:
        _end(FAILED, f"a server stopped answering: {error}")
    except (
        CommandFailed,
        EmbeddedServerFailed,
        RebuildRefused,
        RebuildUnproven,
        ValueError,
        PermissionError,
    ) as error:
        _end(FAILED, str(error))


def _root(error: Exception) -> str:
    """What the database itself said, which callers over HTTP are not told."""
    return str(error.__cause__ if isinstance(error.__cause__, OperationalError) else error).strip()


def _end(status: int, *lines: str) -> NoReturn:
    console = Console(stderr=True, highlight=False)
    console.print(Text(lines[0], style="red"), soft_wrap=True)
    for line in lines[1:]:
        console.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(status)
