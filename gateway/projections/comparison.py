"""Whether a table and a fold of the log hold the same rows, and if not, which differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_encode: Final = msgspec.json.Encoder().encode


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

    def __str__(self) -> str:
        """For whoever has to look at the rows."""
        sorts = {"missing": self.missing, "unexpected": self.unexpected, "different": self.different}
        found = [f"{sort}: {', '.join(map(_words, keys))}" for sort, keys in sorts.items() if keys]
        return f"{self.name} at position {self.position}, rows " + "; ".join(found)


def _words(key: Key) -> str:
    return " ".join(map(str, key))


@dataclass(slots=True)
class _Side:
    """A sum of row hashes, so that rows may come in any order."""

    total: int = 0

    def add(self, row_hash: int) -> None:
        self.total = (self.total + row_hash) % _MODULUS

    @property
    def digest(self) -> str:
        return f"{self.total:064x}"


def _hash(values: Iterable[Any]) -> int:
    """Equal numbers count as one spelling: 1.50 and 1.5 are the same price."""
    plain = [value.normalize() if isinstance(value, Decimal) else value for value in values]
    return int.from_bytes(sha256(_encode(plain)).digest())


async def compare(
    connection: Connection, shelf: Shelf[Any], folded: Mapping[Key, Any], position: int
) -> Comparison:
    """Read the whole table, as the current transaction sees it, against rows folded up to `position`."""
    table, fold = _Side(), _Side()
    seen: set[Key] = set()
    unexpected: list[Key] = []
    different: list[Key] = []
    async for values in shelf.contents(connection):
        key = shelf.key_of(values)
        seen.add(key)
        row_hash = _hash(values)
        table.add(row_hash)
        if (row := folded.get(key)) is None:
            unexpected.append(key)
        elif (expected := shelf.values_of(row)) == values:
            fold.add(row_hash)
        else:
            fold.add(_hash(expected))
            different.append(key)
    missing = sorted(folded.keys() - seen)
    for key in missing:
        fold.add(_hash(shelf.values_of(folded[key])))
    return Comparison(
        name=shelf.projection.name,
        table_name=shelf.table_name,
        position=position,
        rows=len(seen),
        table_digest=table.digest,
        fold_digest=fold.digest,
        missing=tuple(missing[:SHOWN]),
        unexpected=tuple(unexpected[:SHOWN]),
        different=tuple(different[:SHOWN]),
    )
