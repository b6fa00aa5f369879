"""From an answer to the next request, along every link of the document and on from there.

Hypothesis' own state machines want a service that answers a repeated chain alike; a ledger does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from gateway.api.document.links import LINKS, Link
from gateway.api.document.requests import REQUESTS
from tests.fuzz.promises import DOCUMENT, kept
from tests.kit.serving import Served

STEPS = 3
PAIRS = [(source, link) for source, links in LINKS.items() for link in links]
_BODY = "$response.body#/"


@dataclass(frozen=True)
class Step:
    """One request that is to be made."""

    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


def found_at(expression: str, answer: Any) -> Any:
    """What a runtime expression means; None where it leads nowhere."""
    for name in expression.removeprefix(_BODY).split("/"):
        if isinstance(answer, list):
            answer = answer[int(name)] if int(name) < len(answer) else None
        else:
            answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def along(link: Link, answer: Any) -> Step | None:
    """The request a link makes of an answer; None when the answer has nothing to go on with."""
    parameters = {name: found_at(where, answer) for name, where in link.parameters.items()}
    if any(parameters[name] is None for name in parameters if f"{{{name}}}" in path_of(link.to)):
        return None
    body = None if link.body is None else {name: found_at(where, answer) for name, where in link.body.items()}
    return Step(link.to, {name: value for name, value in parameters.items() if value is not None}, body)


def path_of(operation: str) -> str:
    return str(DOCUMENT.find_operation_by_id(operation).path)


def body_of(step: Step) -> Mapping[str, Any] | None:
    """The link's body, or the first example's: of now, and for an order of its own."""
    if step.body is not None or step.operation not in REQUESTS:
        return step.body
    body = dict(next(iter(REQUESTS[step.operation].values())))
    if "requested_at" in body:
        body["requested_at"] = datetime.now(UTC).isoformat()
    if step.operation == "submit_order":
        body |= {"order_type": "limit", "limit_price": "90", "client_order_id": uuid4().hex}
    if step.operation == "slice_order":
        body |= {"client_order_id": uuid4().hex}
    return body


def taken(step: Step, served: Served) -> tuple[int, Any]:
    """Status and body of the answer, which is one that the document promises."""
    operation = DOCUMENT.find_operation_by_id(step.operation)
    in_path = {name: step.parameters[name] for name in step.parameters if f"{{{name}}}" in operation.path}
    query = {name: value for name, value in step.parameters.items() if name not in in_path}
    body = body_of(step)
    sent: dict[str, Any] = {} if body is None else {"body": body, "media_type": "application/json"}
    response = kept(operation.Case(path_parameters=in_path, query=query, **sent), served)
    return response.status_code, response.json()


def way_to(operation: str, served: Served) -> Step:
    """A request of an operation with everything its path needs, by links."""
    if "{" not in path_of(operation):
        return Step(operation)
    source, link = next((source, link) for source, link in PAIRS if link.to == operation)
    return followed(source, link, served)


def followed(source: str, link: Link, served: Served) -> Step:
    """The request that a link makes of an answer of its source, once there is something to go on with."""

    def step() -> Step | None:
        status, answer = taken(way_to(source, served), served)
        return along(link, answer) if status in (200, 202) else None

    found: Step = served.until(step, f"an answer of {source} that leads to {link.to}")
    return found


def as_new(served: Served) -> None:
    """Nothing is switched off, something is held, and the broker has an order nobody here sent."""
    for body in ({"scope": "symbol", "target": "MSFT"}, {}):
        served.ask("POST", "/api/v1/kill-switch/disengage", json={"operator": "alice", **body})
    served.ask("POST", "/api/v1/circuit-breaker/reset", json={"reason": "the next chain"})
    served.ask("POST", "/api/v1/orders", json={"symbol": "AAPL", "side": "buy", "qty": 1})


def strange_order(served: Served) -> None:
    body = {"symbol": "MSFT", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1"}
    body |= {"time_in_force": "day"}
    headers = served.exchange.headers
    httpx2.post(f"{served.exchange.url}/v2/orders", json=body, headers=headers).raise_for_status()


@pytest.mark.parametrize(("source", "link"), PAIRS, ids=[f"{source}-{link.to}" for source, link in PAIRS])
def test_every_link_leads_to_answers_that_are_promised(source: str, link: Link, served: Served) -> None:
    random, answer = Random(f"{source} {link.to}"), None
    as_new(served)
    if source in ("list_orphans", "list_quarantines", "list_breaks"):
        strange_order(served)
    step: Step | None = followed(source, link, served)
    for _ in range(STEPS):
        assert step is not None
        _, answer = taken(step, served)
        onward = [along(next_link, answer) for next_link in LINKS.get(step.operation, ())]
        possible = [one for one in onward if one is not None]
        if not possible:
            break
        step = random.choice(possible)
