"""Every projection of this house."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.projections.breaks import BREAKS
from gateway.projections.fills import FILLS
from gateway.projections.orders import ORDERS
from gateway.projections.positions import POSITIONS
from gateway.projections.projection import Projection
from gateway.projections.strategy_positions import STRATEGY_POSITIONS

PROJECTIONS: Final[tuple[Projection[Any], ...]] = (
    ORDERS,
    FILLS,
    POSITIONS,
    STRATEGY_POSITIONS,
    BREAKS,
)


def named(names: Iterable[str]) -> Sequence[Projection[Any]]:
    """The projections of these names. Raises KeyError for a name that is none."""
    by_name = {projection.name: projection for projection in PROJECTIONS}
    return [by_name[name] for name in names]
