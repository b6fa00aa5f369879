"""A projection is a name, a version, a key and a fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Table

from gateway.ledger.envelope import Recorded

Key = tuple[Any, ...]
"""The values of a row's primary key, in the order of the table's columns."""


class ReadRow(Protocol):
    """A row carries, under the names of its table's columns, everything the table shows."""

    @property
    def position(self) -> int:
        """Position of the last event that touched the row."""


Row = TypeVar("Row", bound=ReadRow)


class Unfoldable(Exception):
    """An event speaks of a row that no earlier event made. The projection stops there; it never guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Generic[Row]):
    """One question asked of the ledger, kept ready in a table.

    Raise `version` whenever the columns change or the fold gives another answer to the same events; the
    table is then rebuilt at the next start. `keys` names the rows an event touches, and `fold` is asked once
    for each of them. `load` makes a row from its table's columns.
    """

    name: str
    version: int
    listens: tuple[str, ...]
    """Beginnings of event names, such as `order.`."""
    table: Table
    keys: Callable[[Recorded], Iterable[Key]]
    fold: Callable[[Row | None, Key, Recorded], Row]
    load: Callable[[Mapping[str, Any]], Row]

    def hears(self, event_name: str) -> bool:
        return event_name.startswith(self.listens)


def known(row: Row | None, recorded: Recorded) -> Row:
    """The row, which must be there. Raises Unfoldable."""
    if row is None:
        raise Unfoldable(f"{recorded.name} at position {recorded.position} has no row to change")
    return row
