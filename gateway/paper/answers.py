"""JSON answers. Trading numbers are strings already; market data writes Decimals as JSON numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.paper.errors import Refusal

encode = msgspec.json.Encoder(decimal_format="number").encode

Handler = Callable[[Request], Awaitable[Response]]


def answer(content: object, status: int = 200) -> Response:
    return Response(encode(content), status, media_type="application/json")


def no_content() -> Response:
    return Response(status_code=204)


async def refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return answer(error.body, error.status)


async def unknown_path(request: Request, error: Exception) -> Response:
    return answer({"code": 40410000, "message": "endpoint not found"}, 404)


async def wrong_method(request: Request, error: Exception) -> Response:
    return answer({"code": 40510000, "message": "method not allowed"}, 405)
