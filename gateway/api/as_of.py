"""Answers as they were known at an earlier point of the log."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from gateway.api.deps import House
from gateway.api.json_types import instant_from_text
from gateway.api.roles import Principal

_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,17}")
AsOf = Annotated[
    str | None, Query(max_length=40, description="A ledger position, or a timestamp with an offset.")
]


async def position_of(as_of: str | None, house: House) -> int | None:
    """The log position an answer is to be folded up to; None for now. The future is 422."""
    if as_of is None:
        return None
    if _POSITION.fullmatch(as_of):
        position, head = int(as_of), await house.ledger.log.head()
        if position > head:
            raise _invalid(f"is beyond the head of the ledger, {head}")
        return position
    try:
        instant = instant_from_text(as_of)
    except ValueError as error:
        raise _invalid(f"is no ledger position and {error}") from error
    if instant > house.clock.now():
        raise _invalid("lies in the future")
    return await house.ledger.log.position_at(instant)


async def scanned_to(as_of: str | None, request: Request, house: House, caller: Principal) -> int | None:
    """As `position_of`, for answers that fold the log: how often is limited. Raises RateLimited."""
    if as_of is not None:
        await house.limiter(request, "as_of_read", caller)
    return await position_of(as_of, house)


def _invalid(words: str) -> RequestValidationError:
    return RequestValidationError([{"type": "as_of", "loc": ("query", "as_of"), "msg": words}])
