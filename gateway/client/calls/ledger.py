"""Events, timelines, proofs and read tables."""

from __future__ import annotations

from gateway.client.answers.ledger import (
    EventPage,
    OrderTimeline,
    ProjectionEntry,
    ProjectionList,
    VerifyReport,
)
from gateway.client.call import Call, get, part, post


def list_events(
    *,
    after: int = 0,
    limit: int | None = None,
    stream: str | None = None,
    topic: str | None = None,
    symbol: str | None = None,
    strategy_id: str | None = None,
) -> Call[EventPage]:
    """Events beyond a position. `topic` is a whole one, or a beginning that ends in a dot."""
    return get("/api/v1/events", EventPage, **locals())


def order_timeline(client_order_id: str) -> Call[OrderTimeline]:
    return get(f"/api/v1/orders/{part(client_order_id)}/events", OrderTimeline)


def verify_ledger(*, first: int | None = None, last: int | None = None) -> Call[VerifyReport]:
    return get("/api/v1/ledger/verify", VerifyReport, **{"from": first, "to": last})


def list_projections() -> Call[ProjectionList]:
    return get("/api/v1/projections", ProjectionList)


def rebuild_projection(name: str) -> Call[ProjectionEntry]:
    return post(f"/api/v1/projections/{part(name)}/rebuild", ProjectionEntry)
