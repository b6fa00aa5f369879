"""The parts every operation shares: who is asking, the headers, the one shape of an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

BEARER: Final[Json] = {"bearer": []}
SIGNED: Final[Json] = {
    "service": [],
    "service_timestamp": [],
    "service_nonce": [],
    "service_signature": [],
}
WEBHOOK: Final[Json] = {"webhook_signature": []}


def _header_key(name: str, words: str) -> Json:
    return {"type": "apiKey", "in": "header", "name": name, "description": words}


SECURITY_SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A user's token. `gateway token` mints one in dev and test.",
    },
    "service": _header_key("X-Service-ID", "Which service asks; the four X- headers go together."),
    "service_timestamp": _header_key("X-Internal-Timestamp", "Epoch seconds of the signature."),
    "service_nonce": _header_key("X-Internal-Nonce", "Used once."),
    "service_signature": _header_key(
        "X-Internal-Token",
        "Hex HMAC-SHA256 over the canonical JSON of method, path, query, body hash, service, user, strategy,"
        " timestamp and nonce.",
    ),
    "webhook_signature": _header_key(
        "X-Alpaca-Signature",
        "Hex HMAC-SHA256 of the raw body, or of `{timestamp}.{body}` with X-Webhook-Timestamp.",
    ),
}

_POSITION: Final[Json] = {"type": "string", "pattern": "^[0-9]+$"}
_WHOLE: Final[Json] = {"type": "string", "pattern": "^-?[0-9]+$"}
HEADERS: Final[Json] = {
    "X-Request-ID": {
        "description": "The caller's id of this request, or a new one; the correlation id of its events.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
        "required": True,
    },
    "X-Ledger-Position": {
        "description": "The last event this request wrote, or the state it answered from.",
        "schema": _POSITION,
    },
    "X-RateLimit-Limit": {"description": "Requests allowed per window.", "schema": _WHOLE},
    "X-RateLimit-Remaining": {"description": "Requests left in this window.", "schema": _WHOLE},
    "X-RateLimit-Window": {"description": "Seconds.", "schema": _WHOLE},
    "Retry-After": {"description": "Seconds; absent where a person has to act first.", "schema": _WHOLE},
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"const": "Bearer"},
        "required": True,
    },
}
LIMIT_HEADERS: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Window")

REQUEST_ID: Final[Json] = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "Echoed when it is 1-128 visible ASCII characters, else replaced.",
    "schema": {"type": "string"},
}
SEEN_POSITION: Final[Json] = {
    "name": "X-Ledger-Position",
    "in": "header",
    "required": False,
    "description": "Answer from tables that have reached this position. The larger of header and query wins.",
    "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
}
MIN_POSITION: Final[Json] = SEEN_POSITION | {
    "name": "min_position",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
}

PROBLEM: Final[Json] = {
    "title": "Problem",
    "description": "RFC 9457. Facts of the refusal stand beside these fields; `detail` starts with `code`.",
    "type": "object",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "code",
        "gate",
        "instance",
        "request_id",
        "timestamp",
        "fail_closed",
    ],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:execution-gateway:problem:[a-z_]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs; stable."},
        "gate": {"type": ["string", "null"], "description": "The rule that refused."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "request_id": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "fail_closed": {"type": "boolean", "description": "Refused because the gate could not decide."},
        "errors": {
            "type": "array",
            "description": "Of request_validation: every problem, never what was sent.",
            "items": {
                "type": "object",
                "required": ["type", "loc", "msg"],
                "additionalProperties": False,
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
            },
        },
        "retry_after": {"type": "integer", "description": "Of rate_limited: seconds."},
    },
}

TITLES: Final[Mapping[int, str]] = {
    400: "Refused by a rule of the desk",
    401: "Not believed",
    403: "Not allowed",
    404: "Not there, or not the caller's",
    408: "The body came too slowly",
    409: "At odds with what is recorded",
    413: "The body is too large",
    422: "Not acceptable as it was sent",
    429: "Too many requests",
    431: "The headers are too large; answered before anything else is looked at",
    500: "A bug; the request id names it",
    502: "The broker took none of it",
    503: "Not now; nothing was sent to the broker",
}
