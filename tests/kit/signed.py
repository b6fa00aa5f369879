"""Requests as a service of ours signs them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from gateway.api.service_headers import SignedRequest


def signed(method: str, path: str, secret: str, *, service_id: str = "orchestrator") -> dict[str, str]:
    """The headers of one request without a body; a second use of them is a replay."""
    request = SignedRequest(
        method=method,
        path=path,
        service_id=service_id,
        timestamp=str(int(datetime.now(UTC).timestamp())),
        nonce=uuid4().hex,
        body_hash="",
    )
    return {
        "X-Service-ID": request.service_id,
        "X-Internal-Timestamp": request.timestamp,
        "X-Internal-Nonce": request.nonce,
        "X-Internal-Token": request.signature(secret.encode()),
    }
