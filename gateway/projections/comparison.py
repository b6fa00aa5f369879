"""Whether a table and a fold of the log hold the same rows, and if not, which differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import msgspec

from gateway.projections.connection import Connection
from gateway.projections.projection import Key
from gateway.projections.shelf import Shelf

SHOWN: Final = 10
"""How many differing keys of each sort are named."""
_MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table beside the fold of the log up to `position`. The digests do not depend on the order of rows."""

    name: str
    table_name: str
    position: int
    rows: int
    table_digest: str
    fold_digest: str
    missing: tuple[Key, ...] = ()
    """Rows of the fold that the table lacks; at most the first ten, as with the others."""
    unexpected: tuple[Key, ...] = ()
    different: tuple[Key, ...] = ()

    @property
    def equal(self) -> bool:
        return self.table_digest == self.fold_digest and not (
            self.missing or self.unexpected or self.different
        )


@dataclass(slots=True)
class _Digest:
    """Sum of the rows' hashes, so that rows may come in any order."""

    total: int = 0

    def add(self, values: Iterable[Any]) -> None:
        text = msgspec.json.encode([_plain(value) for value in values])
        self.total = (self.total + int.from_bytes(sha256(text).digest())) % _MODULUS

    def __str__(self) -> str:
        return f"{self.total:064x}"


def _plain(value: Any) -> Any:
    """One spelling for equal numbers: 1.50 and 1.5 are the same price."""
    return value.normalize() if isinstance(value, Decimal) else value


@dataclass(slots=True)
class _Differences:
    keys: list[Key] = field(default_factory=list)

    def note(self, key: Key) -> None:
        if len(self.keys) < SHOWN:
            self.keys.append(key)


async def compare(
    connection: Connection, shelf: Shelf[Any], folded: Mapping[Key, Any], position: int
) -> Comparison:
    """Read the whole table, as the current transaction sees it, against rows folded up to `position`."""
    unexpected, different = _Differences(), _Differences()
    in_table, in_fold = _Digest(), _Digest()
    seen: set[Key] = set()
    async for values in shelf.contents(connection):
        key = shelf.key_of(values)
        seen.add(key)
        in_table.add(values)
        if key not in folded:
            unexpected.note(key)
        elif values != shelf.values_of(folded[key]):
            different.note(key)
    for row in folded.values():
        in_fold.add(shelf.values_of(row))
    return Comparison(
        name=shelf.projection.name,
        table_name=shelf.table_name,
        position=position,
        rows=len(seen),
        table_digest=str(in_table),
        fold_digest=str(in_fold),
        missing=tuple(sorted(folded.keys() - seen, key=str)[:SHOWN]),
        unexpected=tuple(unexpected.keys),
        different=tuple(different.keys),
    )
