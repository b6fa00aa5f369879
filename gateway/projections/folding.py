"""Projections folded in memory, from the first event or from rows that were folded before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.ledger.envelope import Recorded, Undecodable
from gateway.projections.projection import Key, Projection, Unfoldable

Rows = dict[Key, Any]


class Folding:
    """Folds each event into every projection that hears it; an event is decoded once for all of them."""

    def __init__(self, projections: Iterable[Projection[Any]]) -> None:
        self.rows: dict[str, Rows] = {projection.name: {} for projection in projections}
        self._projections = tuple(projections)
        self._audience: dict[str, Sequence[tuple[Projection[Any], Rows]]] = {}

    def take(self, events: Iterable[Recorded]) -> None:
        """Fold events in ledger order. Whatever a fold raises goes to the caller, half-way."""
        for recorded in events:
            audience = self._audience.get(recorded.name)
            if audience is None:
                audience = self._audience[recorded.name] = [
                    (p, self.rows[p.name]) for p in self._projections if p.hears(recorded.name)
                ]
            if audience and isinstance(recorded.event, Undecodable):
                raise Unfoldable(f"position {recorded.position}: {recorded.event.reason}")
            for projection, rows in audience:
                for key in projection.keys(recorded):
                    rows[key] = projection.fold(rows.get(key), key, recorded)


def touched(projection: Projection[Any], events: Iterable[Recorded]) -> Mapping[Key, None]:
    """The keys of the rows that these events change, in order of first mention."""
    return dict.fromkeys(
        key for recorded in events if projection.hears(recorded.name) for key in projection.keys(recorded)
    )
