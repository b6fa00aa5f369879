"""What all bodies share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from gateway.api.json_types import Instant, LongReason, Name
from gateway.api.refusals import StaleRequest

_OLDEST: Final = timedelta(minutes=15)
_AHEAD: Final = timedelta(seconds=60)
LONGEST_STORED_REASON: Final = 512


class RequestBody(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(ResponseBody):
    """A body whose shape is that of the answer it is made from."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class ManualBody(RequestBody):
    """Who asked by hand, when and why."""

    reason: LongReason
    requested_by: Name
    requested_at: Instant

    @property
    def stored_reason(self) -> str:
        return self.reason[:LONGEST_STORED_REASON]

    def refuse_stale(self, now: datetime) -> None:
        """Raises StaleRequest."""
        if not now - _OLDEST <= self.requested_at <= now + _AHEAD:
            raise StaleRequest("requested_at must lie between 15 minutes ago and 60 seconds ahead")
