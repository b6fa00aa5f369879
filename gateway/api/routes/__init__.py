"""Every route. The order of this tuple is the mount order: literal paths stand before parametrised ones."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.api.routes import (
    about,
    circuit_breaker,
    events,
    fat_finger,
    kill_switch,
    ledger,
    order_lists,
    orders,
    performance,
    positions,
    projections,
    quarantine,
    reconciliation,
    webhooks,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    order_lists.router,
    orders.router,
    webhooks.router,
    positions.router,
    performance.router,
    kill_switch.router,
    circuit_breaker.router,
    quarantine.router,
    fat_finger.router,
    reconciliation.router,
    events.router,
    ledger.router,
    projections.router,
    about.router,
)
