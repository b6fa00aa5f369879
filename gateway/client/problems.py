"""What can go wrong: the gateway says no, or says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2
import msgspec


class ClientError(Exception):
    """No answer that could be used."""


class NoAnswer(ClientError):
    """The connection broke or nothing came in time.

    With `sent` False the gateway has surely not seen the request. Otherwise what became of it is unknown: an
    order has to be looked up under its `client_order_id`, never sent again under another.
    """

    def __init__(self, words: str, *, sent: bool, client_order_id: str | None = None) -> None:
        super().__init__(words)
        self.sent, self.client_order_id = sent, client_order_id


class Unreadable(ClientError):
    """An answer that is not in the form the gateway gives it; something else may be listening there."""


class Problem(ClientError):
    """The gateway's own no (RFC 9457). `code` is stable; `facts` are the fields beside the usual ones."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: int | None) -> None:
        self.status, self.retry_after = status, retry_after
        self.code = str(body["code"])
        self.detail = str(body["detail"])
        self.gate: str | None = body.get("gate")
        self.request_id: str | None = body.get("request_id")
        self.fail_closed = bool(body.get("fail_closed"))
        self.facts = {name: value for name, value in body.items() if name not in _USUAL}
        super().__init__(f"{status} {self.detail}")


_USUAL: Final = frozenset(
    {"type", "title", "status", "detail", "code", "gate", "instance", "request_id", "timestamp"}
    | {"fail_closed"}
)


class Unauthenticated(Problem):
    """401: the proof was not believed."""


class Forbidden(Problem):
    """403: not this caller, or not this strategy."""


class NotFound(Problem):
    """404: unknown, or outside the caller's strategies, which cannot be told apart."""


class Conflict(Problem):
    """409: something else stands under this name, or is under way."""


class Invalid(Problem):
    """400 and 422: as asked it cannot be done; asking again does not help."""


class RateLimited(Problem):
    """429: nothing was done; `retry_after` says when to come back."""


class Unavailable(Problem):
    """503: not now. A switch or breaker is on, or something needed to decide is away."""


_KINDS: Final[Mapping[int, type[Problem]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}


def is_problem(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").startswith("application/problem+json")


def problem_of(response: httpx2.Response) -> Problem | Unreadable:
    """What a refusing answer says; an Unreadable when it is not the gateway's."""
    try:
        body = msgspec.json.decode(response.content, type=dict[str, Any])
        after = response.headers.get("retry-after")
        kind = _KINDS.get(response.status_code, Problem)
        return kind(response.status_code, body, None if after is None else int(after))
    except (ValueError, KeyError):
        return Unreadable(f"{response.status_code} without a problem the gateway would send")
