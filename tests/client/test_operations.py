"""The client offers what the API offers: every operation, every parameter, every field."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_type_hints

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gateway.api.routes import ROUTERS
from gateway.client import AsyncClient, Client
from gateway.client.operation import Asked, Awaited

ROUTES: Final = {
    route.name: route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
}
STREAMED: Final = {"stream_events"}
DIFFERENT: Final = {"receive_order_update", *STREAMED}
"""A relay's body is whatever the broker says; a stream is an iterator."""
OWN_WORDS: Final = {"first": "from", "last": "to"}
NOT_OFFERED: Final = {"idempotency_key", "min_position", "if_none_match"}
"""The client has an id, a position and a memory of its own instead."""


def operations(client: type) -> dict[str, Any]:
    return {name: one.build for name, one in vars(client).items() if isinstance(one, Asked | Awaited)}


def calls(name: str) -> Any:
    """The call an operation makes when only what it has to be told is given."""
    build = operations(Client)[name]
    needed = [
        parameter
        for parameter in inspect.signature(build).parameters.values()
        if parameter.default is inspect.Parameter.empty
    ]
    positional = ["x" for parameter in needed if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    return build(*positional, **{one.name: "x" for one in needed if one.kind is one.KEYWORD_ONLY})


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_operation_of_the_api_is_a_method_of_its_name_and_nothing_else_is(client: type) -> None:
    assert operations(client).keys() | STREAMED == ROUTES.keys()
    assert all(callable(getattr(client, name)) for name in STREAMED)


def test_both_clients_ask_the_same() -> None:
    assert operations(Client) == operations(AsyncClient)


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - DIFFERENT))
def test_a_method_asks_at_the_place_of_its_operation(name: str) -> None:
    call, route = calls(name), ROUTES[name]
    assert call.method in route.methods
    assert route.path_regex.fullmatch(call.path), call.path


def offered(name: str) -> set[str]:
    """What the document of the API says can be given: in the path, the query and the body."""
    app = FastAPI()
    app.router.routes.append(ROUTES[name])
    document = app.openapi()
    ((_, said),) = next(iter(document["paths"].values())).items()
    found = {one["name"] for one in said.get("parameters", []) if one["in"] in ("path", "query")}
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for part in [body, *body.get("anyOf", [])]:
        reference = part.get("$ref", "").rpartition("/")[2]
        schema = document["components"]["schemas"][reference] if reference else {}
        found |= schema.get("properties", {}).keys()
    return found


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - DIFFERENT))
def test_a_method_takes_what_its_operation_takes(name: str) -> None:
    taken = {OWN_WORDS.get(word, word) for word in inspect.signature(operations(Client)[name]).parameters}
    assert taken - NOT_OFFERED == offered(name) - NOT_OFFERED - {"type"}


def parts(kind: Any) -> Iterator[Any]:
    """The models or dataclasses a type is made of."""
    if is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        yield kind
    for argument in get_args(kind):
        yield from parts(argument)


def shape(kind: Any, path: str = "") -> Iterator[str]:
    """Every field with the fields in it, as a path."""
    for part in parts(kind):
        hints = get_type_hints(part)
        names = part.model_fields if issubclass(part, BaseModel) else [field.name for field in fields(part)]
        for name in names:
            yield f"{path}.{name}"
            yield from shape(hints[name], f"{path}.{name}")


@pytest.mark.parametrize("name", sorted(ROUTES.keys() - DIFFERENT - {"metrics"}))
def test_an_answer_has_the_fields_the_gateway_sends(name: str) -> None:
    ours = {one for one in shape(calls(name).answer) if ".override_context." not in one}
    theirs = {one for one in shape(ROUTES[name].response_model) if ".override_context." not in one}
    assert ours == theirs


def test_importing_the_client_brings_nothing_of_the_server_along() -> None:
    program = "import sys, gateway.client; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    libraries = {"fastapi", "starlette", "pydantic", "sqlalchemy", "psycopg", "redis", "eventsourcing"}
    assert loaded & libraries == set()
    ours = {name for name in loaded if name.startswith("gateway.")}
    assert {name for name in ours if not name.startswith("gateway.client")} == set()
