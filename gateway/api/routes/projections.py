"""The read tables: how far they are, and folding one anew."""

from __future__ import annotations

from fastapi import APIRouter, Request

from gateway.aggregates.refusals import RebuildInProgress
from gateway.api.deps import Caller, CorrelationId, Desk, House, answered_at
from gateway.api.guard import GuardedRoute, access, administers
from gateway.api.refusals import NotFound
from gateway.api.roles import Permission
from gateway.api.schemas.ledger import ProjectionEntry, ProjectionList

router = APIRouter(prefix="/api/v1/projections", route_class=GuardedRoute, tags=["ledger"])


@router.get("")
@access(Permission.VIEW_LEDGER)
async def list_projections(desk: Desk) -> ProjectionList:
    """Every read table, and how far behind the ledger it is."""
    return ProjectionList(projections=list((await _entries(desk)).values()))


@router.post("/{name}/rebuild", status_code=202)
@administers(Permission.MANAGE_RECONCILIATION, "projection_rebuild", limit="projection_rebuild")
async def rebuild_projection(
    name: str, request: Request, desk: Desk, caller: Caller, correlation_id: CorrelationId
) -> ProjectionEntry:
    """Fold the log into a new table; readers keep the old one until the new one is proved equal."""
    entry = (await _entries(desk)).get(name)
    if entry is None:
        raise NotFound("there is no such projection")
    if entry.state == "rebuilding":
        raise RebuildInProgress(f"{name} is being rebuilt", projection=name)
    answered_at(request, await desk.audit.rebuild_requested(name, caller.actor(), correlation_id))
    await desk.projections.rebuild(name)
    return (await _entries(desk))[name]


async def _entries(desk: House) -> dict[str, ProjectionEntry]:
    entries = [ProjectionEntry.model_validate(entry) for entry in await desk.projections.status()]
    return {entry.name: entry for entry in entries}
