"""The document as Schemathesis reads it, and what every answer is held against."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, cast

import requests
import schemathesis
from schemathesis.specs.openapi import checks as openapi_checks
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gateway import __version__
from gateway.api.document.building import document
from tests.kit.serving import WEBHOOK_SECRET, Served

EXAMPLES = 8
"""Random ones an operation, beside its own examples and the edges of its schema."""
CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20261120,
        "generation": {
            "max-examples": EXAMPLES,
            "deterministic": True,
            "database": "none",
            "with-security-parameters": False,
        },
    }
)
_WITHOUT_END = ["stream_events"]
DOCUMENT = cast(
    OpenApiSchema,
    schemathesis.openapi.from_dict(document(__version__), config=CONFIG).exclude(operation_id=_WITHOUT_END),
)
CHECKS: list[Callable[..., bool | None]] = [
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
]


class Credentials(requests.auth.AuthBase):
    """An admin's token, and the signature that only the webhook reads."""

    def __init__(self, served: Served) -> None:
        self.bearer = served.bearer

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body if isinstance(body, bytes) else body.encode()
        signature = hmac.new(WEBHOOK_SECRET.encode(), raw, "sha256").hexdigest()
        request.headers.update(self.bearer | {"X-Alpaca-Signature": signature})
        return request


def kept(case: schemathesis.Case[Any], served: Served) -> schemathesis.Response:
    """The answer, which is one that the document promises."""
    response = case.call(base_url=served.url, auth=Credentials(served))
    assert response.status_code != 500, response.text
    case.validate_response(response, checks=CHECKS)
    return response
