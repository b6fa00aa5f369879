"""The service about itself: who it is, how it is, how it is set."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api.deps import Desk
from gateway.api.guard import GuardedRoute, access
from gateway.api.schemas.about import (
    ComponentState,
    ConfigResponse,
    HealthDetails,
    HealthResponse,
    LiveResponse,
    ReadyResponse,
    ServiceInfo,
)

router = APIRouter(route_class=GuardedRoute, tags=["service"])


@router.get("/")
@access(public=True)
async def introduce(desk: Desk) -> ServiceInfo:
    """Who answers here."""
    me = desk.about
    return ServiceInfo(service=me.service, version=me.version, status="running", dry_run=me.dry_run)


@router.get("/health")
@access(public=True)
async def health(desk: Desk) -> HealthResponse:
    """Always 200: a degraded service can still say so. Reads only; repairs nothing."""
    about, report = desk.about, await desk.health()
    components = {
        name: ComponentState(state=part.state, since=part.since, message=part.message)
        for name, part in report.components.items()
    }
    return HealthResponse(
        status=report.status,
        service=about.service,
        version=about.version,
        dry_run=about.dry_run,
        database_connected=report.database_connected,
        redis_connected=report.redis_connected,
        alpaca_connected=report.alpaca_connected,
        timestamp=desk.clock.now(),
        details=HealthDetails(
            strategy_id=about.strategy_id,
            alpaca_base_url=None if about.dry_run else about.alpaca_base_url,
            components=components,
        ),
    )


@router.get("/health/live")
@access(public=True)
async def live() -> LiveResponse:
    """The process answers; nothing else is asked."""
    return LiveResponse(status="alive")


@router.get("/health/ready")
@access(public=True)
async def ready(desk: Desk, response: Response) -> ReadyResponse:
    """Whether requests should be sent here. A closed reconciliation gate does not count against it."""
    readiness = await desk.readiness()
    response.status_code = 200 if readiness.is_ready else 503
    return ReadyResponse(
        ready=readiness.is_ready, checks=dict(readiness.checks), reconciliation_gate=readiness.gate
    )


@router.get("/metrics", response_class=PlainTextResponse)
@access(public=True)
async def metrics(desk: Desk) -> Response:
    """Prometheus text."""
    return Response(generate_latest(desk.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v1/config")
@access()
async def config(desk: Desk) -> ConfigResponse:
    """How the service is set. No secrets."""
    about = desk.about
    return ConfigResponse(
        service=about.service,
        version=about.version,
        environment=about.environment,
        dry_run=about.dry_run,
        alpaca_paper=about.alpaca_paper,
        circuit_breaker_enabled=about.circuit_breaker_enabled,
        liquidity_check_enabled=about.liquidity_check_enabled,
        max_slice_pct_of_adv=float(about.max_slice_pct_of_adv),
        rate_limit_mode=about.rate_limit_mode,
        strategy_id=about.strategy_id,
        max_position_size=about.max_position_size,
        timestamp=desk.clock.now(),
    )
