"""From the routes to the document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway.api.document.desk_answers import DESK
from gateway.api.document.links import LINKS
from gateway.api.document.parts import (
    BEARER,
    HEADERS,
    LIMIT_HEADERS,
    MIN_POSITION,
    PROBLEM,
    REQUEST_ID,
    SECURITY_SCHEMES,
    SEEN_POSITION,
    SIGNED,
    TITLES,
    WEBHOOK,
    Json,
)
from gateway.api.document.refusals import codes_of
from gateway.api.document.requests import REQUESTS
from gateway.api.document.trading_answers import TRADING
from gateway.api.guard import Access
from gateway.api.routes import ROUTERS

_ABOUT: Final = (
    "Takes orders, checks them, sends them to a broker, and remembers everything that happened as events."
    " Decimals are strings, instants are UTC with six digits, every error is an RFC 9457 problem."
)
_ANSWERS: Final = {**TRADING, **DESK}
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")
_MAY_BE_UNKNOWN: Final = frozenset(
    {"submit_order", "submit_manual_order", "close_position", "adjust_position", "flatten_all"}
)
"""What waits for the broker's word; 202 when that did not come."""
_ANY_OBJECT: Final[Json] = {
    "required": True,
    "content": {"application/json": {"schema": {"type": "object", "title": "Order update"}}},
}


def document(version: str) -> Json:
    """The whole document: the same routes give the same document."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    made: Json = get_openapi(title="Execution gateway", version=version, description=_ABOUT, routes=routes)
    shared: Json = {}
    for route in routes:
        for method in route.methods or ():
            _complete(made["paths"][route.path_format][method.lower()], route, method, shared)
    components = made["components"]
    for name in _FRAMEWORKS_OWN:
        components["schemas"].pop(name, None)
    components["schemas"]["Problem"] = PROBLEM
    components["responses"] = shared
    components["headers"] = HEADERS
    components["securitySchemes"] = SECURITY_SCHEMES
    return deepcopy(made)


def _complete(operation: Json, route: APIRoute, method: str, shared: Json) -> None:
    """Add to the framework's account of an operation what only we know."""
    name = operation["operationId"] = route.name
    rule: Access | None = getattr(route.endpoint, "access", None)
    guarded = rule is not None and not rule.public
    operation["security"] = [BEARER, SIGNED] if guarded else [WEBHOOK] if rule is None else []
    if rule is None:
        operation["requestBody"] = deepcopy(_ANY_OBJECT)
    operation["parameters"] = list(_parameters(operation, reads=guarded and method == "GET"))
    for media in operation.get("requestBody", {}).get("content", {}).values():
        media["examples"] = {key: {"value": value} for key, value in REQUESTS[name].items()}
    headers = ["X-Request-ID"]
    headers += ["X-Ledger-Position"] if method != "GET" else []
    limited = LIMIT_HEADERS if rule is not None and rule.limit is not None else ()
    refused = _refusals(operation, rule, shared)
    operation["responses"] = {**_successes(operation, [*headers, *limited]), **refused}


def _parameters(operation: Json, *, reads: bool) -> Iterator[Json]:
    """A parameter cannot be null; it can only be left out."""
    for parameter in operation.get("parameters", ()):
        schema = dict(parameter["schema"])
        ways = [way for way in schema.pop("anyOf", ()) if way != {"type": "null"}]
        yield parameter | {"schema": {**schema, **ways[0]} if len(ways) == 1 else parameter["schema"]}
    yield REQUEST_ID
    if reads:
        yield MIN_POSITION
        yield SEEN_POSITION


def _successes(operation: Json, headers: Sequence[str]) -> Json:
    name: str = operation["operationId"]
    answers: Json = {}
    for status, answer in operation["responses"].items():
        if status == "422":
            continue
        for media in answer["content"].values():
            media["examples"] = {"answer": {"value": _ANSWERS[name]}}
        words = "The answer" if status == "200" else "Begun"
        answers[status] = answer | {"description": words, "headers": _headers(headers)}
        if name in LINKS:
            answers[status]["links"] = {link.to: link.shown() for link in LINKS[name]}
    if name in _MAY_BE_UNKNOWN:
        words = "On record, and sent; what the broker did with it is being found out"
        answers["202"] = answers["200"] | {"description": words}
    if name == "ready":
        answers["503"] = answers["200"] | {"description": "Not ready"}
    return answers


def _refusals(operation: Json, rule: Access | None, shared: Json) -> Json:
    """What many operations answer alike stands among the components."""
    codes = codes_of(
        operation["operationId"],
        rule,
        body="requestBody" in operation,
        path=any(parameter["in"] == "path" for parameter in operation["parameters"]),
    )
    refusals: Json = {}
    for status, found in codes.items():
        name = "not_believed" if "invalid_token" in found else found[0] if len(found) == 1 else None
        if name is not None:
            shared[name] = _refusal(status, found)
        refusals[str(status)] = _refusal(status, found) if name is None else _ref("responses", name)
    return refusals


_MORE_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    429: (*LIMIT_HEADERS, "Retry-After"),
    503: ("Retry-After",),
}


def _refusal(status: int, codes: Sequence[str]) -> Json:
    named = {"status": {"const": status}, "code": {"enum": list(codes)}}
    more = () if codes[0].startswith("webhook") else _MORE_HEADERS.get(status, ())
    return {
        "description": f"{TITLES[status]}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": _headers(["X-Request-ID", "X-Ledger-Position", *more]),
        "content": {
            "application/problem+json": {"schema": _ref("schemas", "Problem") | {"properties": named}}
        },
    }


def _headers(names: Sequence[str]) -> Json:
    return {name: _ref("headers", name) for name in names}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
