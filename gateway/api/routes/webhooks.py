"""The broker's door. No bearer, no limit, no gate: a signed fact is kept, whatever it says."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from fastapi import APIRouter, Request

from gateway.aggregates.vocabulary import ReportSource
from gateway.api.body import WEBHOOK_LIMIT, read_bounded
from gateway.api.deps import CorrelationId, Desk, answered_at, gate
from gateway.api.refusals import WebhookBodyInvalid
from gateway.api.schemas.webhooks import WebhookResponse
from gateway.api.webhook_signature import check_signature

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])

KNOWN_EVENTS: Final = frozenset(
    {"pending_new", "accepted", "new", "held", "partial_fill", "fill"}
    | {"pending_cancel", "canceled", "expired", "done_for_day", "rejected", "pending_replace", "replaced"}
    | {"order_cancel_rejected", "order_replace_rejected", "trade_bust", "trade_correct"}
    | {"stopped", "suspended", "calculated", "restated"}
)
_STATUS: Final[dict[str, Literal["ok", "duplicate"]]] = {"applied": "ok", "duplicate": "duplicate"}


@router.post("/orders")
async def receive_order_update(
    request: Request, desk: Desk, correlation_id: CorrelationId
) -> WebhookResponse:
    """Verify the raw bytes, keep them, then record what they say."""
    request.state.gate_log = desk.new_gate_log()
    raw = await read_bounded(request, WEBHOOK_LIMIT)
    with gate(request, "signature"):
        check_signature(request.headers, raw, desk.webhook, desk.clock.now())
    with gate(request, "process", passed="success"):
        receipt = await desk.receive(ReportSource.WEBHOOK, raw, correlation_id)
    body = _object(raw)
    if body is None:
        raise WebhookBodyInvalid("the body is not a JSON object; it was kept as it came")
    desk.metrics.webhooks.labels(event_type=_event_type(body)).inc()
    answered_at(request, receipt.position)
    return WebhookResponse(
        status=_STATUS.get(receipt.disposition, "recorded"),
        client_order_id=receipt.client_order_id,
        disposition=receipt.disposition,
        ledger_position=receipt.position,
    )


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _event_type(body: dict[str, Any]) -> str:
    """A label from a closed set."""
    inner = body.get("data")
    event = (inner.get("event") if isinstance(inner, dict) else None) or body.get("event")
    return event if isinstance(event, str) and event in KNOWN_EVENTS else "unknown"
