"""The webhook's own door: an HMAC over the raw bytes, checked before anything is parsed."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from starlette.datastructures import Headers

from gateway.api.refusals import WebhookSignatureInvalid, WebhookSignatureMissing, WebhookUnavailable

SIGNATURE: Final = "x-alpaca-signature"
TIMESTAMP: Final = "x-webhook-timestamp"
_HEX: Final = re.compile(r"(?:sha256=)?([0-9a-f]{64})")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRules:
    """Several secrets are accepted while one is being replaced. `open` (dev, test) does without any."""

    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance_seconds: int
    open: bool


def signature(secret: bytes, raw: bytes, timestamp: str | None = None) -> str:
    """Hex HMAC-SHA256 of the body, or of `{timestamp}.{body}`."""
    signed = raw if timestamp is None else timestamp.encode("ascii") + b"." + raw
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()


def check_signature(headers: Headers, raw: bytes, rules: WebhookRules, now: datetime) -> None:
    """Raises WebhookSignatureMissing, WebhookSignatureInvalid or WebhookUnavailable."""
    secrets = [secret for secret in rules.secrets if secret]
    if not secrets:
        if rules.open:
            return
        raise WebhookUnavailable("no webhook secret is configured")
    given = headers.getlist(SIGNATURE)
    if not given:
        raise WebhookSignatureMissing("X-Alpaca-Signature is missing")
    match = _HEX.fullmatch(given[0].strip().lower()) if len(given) == 1 else None
    timestamp = _timestamp(headers, rules.tolerance_seconds, now)
    signatures = [signature(secret, raw, timestamp) for secret in secrets]
    if match is None or True not in [hmac.compare_digest(one, match[1]) for one in signatures]:
        raise WebhookSignatureInvalid("the signature does not fit the body")


def _timestamp(headers: Headers, tolerance_seconds: int, now: datetime) -> str | None:
    given = headers.getlist(TIMESTAMP)
    if not given:
        return None
    seconds = given[0] if len(given) == 1 and _SECONDS.fullmatch(given[0]) else None
    if seconds is None or abs(now.timestamp() - int(seconds)) > tolerance_seconds:
        raise WebhookSignatureInvalid("the timestamp is unusable or outside the tolerance")
    return seconds
