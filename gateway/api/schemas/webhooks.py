"""What a relay is told about the fact it brought."""

from __future__ import annotations

from typing import Literal

from gateway.api.schemas.common import ResponseBody


class WebhookResponse(ResponseBody):
    status: Literal["ok", "duplicate", "recorded"]
    client_order_id: str | None
    disposition: str
    ledger_position: int | None
