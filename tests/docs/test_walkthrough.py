"""docs/walkthrough.md, from top to bottom: every request is made, every answer is as the page shows it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from fastapi.routing import APIRoute

from gateway.api.routes import ROUTERS
from tests.contract.conftest import CreateTestApp
from tests.contract.relay import SECRET
from tests.docs.likeness import differences
from tests.docs.page import Step, filled_in, parsed, steps
from tests.kit.issuer import Issuer
from tests.kit.served import served

PAGE: Final = Path(__file__).parents[2] / "docs" / "walkthrough.md"
STEPS: Final = list(steps(PAGE))
PATIENCE_SECONDS: Final = 15
ROUTES: Final = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@dataclass(slots=True, kw_only=True)
class Walk:
    """What the variables of the page stand for by now."""

    http: httpx2.AsyncClient
    values: dict[str, str] = field(default_factory=dict)

    async def take(self, step: Step) -> None:
        """Reads are asked again for a while: some answers of the exchange take a moment."""
        self._set(step)
        give_up = time.monotonic() + (PATIENCE_SECONDS if step.request.method == "GET" else 0)
        while found := await self._differences(step):
            assert time.monotonic() < give_up, f"{PAGE.name}:{step.line}\n" + "\n".join(found)
            await asyncio.sleep(0.05)

    def _set(self, step: Step) -> None:
        """The two things the page asks the shell for, and what it sets by itself."""
        for name, text in step.sets.items():
            self.values[name] = filled_in(text, self.values)
        for name in step.asks_shell:
            self.values[name] = {"NOW": self._now, "SIGNATURE": self._signature}[name]()

    def _now(self) -> str:
        return datetime.now(UTC).isoformat()

    def _signature(self) -> str:
        return hmac.new(SECRET, self.values["FACT"].encode(), hashlib.sha256).hexdigest()

    async def _differences(self, step: Step) -> list[str]:
        asked = step.request
        request = self.http.build_request(
            asked.method,
            filled_in(asked.url, self.values),
            headers={name: filled_in(text, self.values) for name, text in asked.headers.items()},
            content=None if asked.body is None else filled_in(asked.body, self.values),
        )
        response = await self.http.send(request, stream=True)
        kept = dict(self.values)
        try:
            found = [*self._of_head(step, response), *await self._of_body(step, response, kept)]
        finally:
            await response.aclose()
        if not found:
            self.values = kept
        return found

    def _of_head(self, step: Step, response: httpx2.Response) -> list[str]:
        found = [] if response.status_code == step.shown.status else [f"the status is {response.status_code}"]
        for name, shown in step.shown.headers.items():
            came = response.headers.get(name, "")
            if came != shown and not (shown.isdecimal() and came.isdecimal()):
                found.append(f"{name}: {shown!r} is shown, {came!r} came")
        return found

    async def _of_body(self, step: Step, response: httpx2.Response, kept: dict[str, str]) -> list[str]:
        if response.headers["content-type"].startswith("text/event-stream"):
            return await self._of_stream(step, response, kept)
        await response.aread()
        if step.shown.body is not None:
            return list(differences(step.shown.body, response.json(), kept))
        lines = set(response.text.splitlines())
        return [f"no line {line!r}" for line in step.shown.text.splitlines() if line not in lines | {"…"}]

    async def _of_stream(self, step: Step, response: httpx2.Response, kept: dict[str, str]) -> list[str]:
        """The first event of the stream, whatever the order of its lines."""
        shown, came = _event(step.shown.text.splitlines()), list[str]()
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in response.aiter_lines():
                if not line:
                    break
                came.append(line)
        return list(differences(shown, _event(came), kept))


def _event(lines: list[str]) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in lines if line != "…")
    return {"position": int(fields["id"]), "topic": fields["event"], "data": parsed(fields["data"])}


async def test_the_page_is_right_from_top_to_bottom(create_test_app: CreateTestApp) -> None:
    async with (
        Issuer.running() as issuer,
        create_test_app(environment=issuer.environment) as house,
        served(house) as address,
        httpx2.AsyncClient(timeout=20) as http,
    ):
        house.exchange.price("IBM", "119.99", "120.01")
        walk = Walk(http=http)
        walk.values = {
            "GATEWAY": address,
            "EXCHANGE": house.exchange.url,
            "TOKEN": house.token(),
            "ID_TOKEN": issuer.id_token(),
        }
        for step in STEPS:
            await walk.take(step)


def test_every_route_of_the_gateway_is_on_the_page() -> None:
    """The longest literal match counts, as it does where the request arrives."""
    asked = {(step.request.method, step.request.path) for step in STEPS if step.request.path}
    used = {_route(method, path).name for method, path in asked}
    assert {route.name for route in ROUTES} - used == set()


def test_both_forms_of_a_cancel_are_on_the_page() -> None:
    cancels = [step for step in STEPS if re.fullmatch(r"/api/v1/orders/\w+/cancel", step.request.path)]
    assert {step.request.body is None for step in cancels} == {True, False}


def _route(method: str, path: str) -> APIRoute:
    return next(route for route in ROUTES if method in route.methods and route.path_regex.fullmatch(path))


def test_what_is_not_as_shown_is_found() -> None:
    kept: dict[str, str] = {}
    shown = parsed('{"id": "$IT", "at": "2026-11-20T15:00:00.120001Z", "n": 1, "list": [1, …, 4], …}')
    right = {"id": "a", "at": "2027-01-01T00:00:00.000000Z", "n": 1, "list": [1, 2, 4], "more": 1}
    assert list(differences(shown, right, kept)) == []
    assert kept == {"IT": "a"}
    for change in (
        {"id": "b"},
        {"at": "yesterday"},
        {"n": 2},
        {"n": True},
        {"n": None},
        {"list": [1, 2]},
        {"list": [2, 4]},
        {"list": [1, 4, 5]},
        {"list": None},
    ):
        assert list(differences(shown, right | change, kept)), change
    assert list(differences(parsed('{"a": 1}'), {"a": 1, "b": 2}, kept))
    assert list(differences(parsed('{"a": 1, …}'), {"b": 2}, kept))


@pytest.mark.parametrize("shown", ['"…"', '"x"', "null", "true", "1"])
def test_a_thing_is_like_itself(shown: str) -> None:
    value = json.loads(shown)
    assert list(differences(value, value, {})) == []
