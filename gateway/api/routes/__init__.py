"""Every route. The order of this tuple is the mount order: literal paths stand before parametrised ones."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.api.routes import (
    about,
    breaks,
    circuit_breaker,
    event_stream,
    events,
    fat_finger,
    kill_switch,
    ledger,
    manual_controls,
    order_lists,
    orders,
    orphans,
    performance,
    positions,
    projections,
    quarantine,
    reconciliation,
    slices,
    strategies,
    webhooks,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    order_lists.router,
    manual_controls.router,
    slices.router,
    orders.router,
    webhooks.router,
    positions.router,
    performance.router,
    strategies.router,
    kill_switch.router,
    circuit_breaker.router,
    quarantine.router,
    fat_finger.router,
    orphans.router,
    breaks.router,
    reconciliation.router,
    event_stream.router,
    events.router,
    ledger.router,
    projections.router,
    about.router,
)
