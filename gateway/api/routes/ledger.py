"""Proof on demand: is the ledger whole, and do the tables agree with it?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError

from gateway.api.deps import Desk
from gateway.api.guard import GuardedRoute, access
from gateway.api.json_types import AS_COUNT
from gateway.api.roles import Permission
from gateway.api.schemas.ledger import VerifyReport

router = APIRouter(prefix="/api/v1/ledger", route_class=GuardedRoute, tags=["ledger"])


@router.get("/verify")
@access(Permission.VIEW_LEDGER, limit="ledger_verify")
async def verify_ledger(
    desk: Desk,
    first: Annotated[int | None, Query(alias="from", ge=1, le=2**62), AS_COUNT] = None,
    last: Annotated[int | None, Query(alias="to", ge=1, le=2**62), AS_COUNT] = None,
) -> VerifyReport:
    """200 also when something is wrong; `ok` says so."""
    if first is not None and last is not None and first > last:
        words = "from lies behind to"
        raise RequestValidationError([{"type": "range", "loc": ("query", "from"), "msg": words}])
    return VerifyReport.model_validate(await desk.verify(first, last))
