"""One question from its first byte to its answer, without any I/O: what to do next, given what came of it."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import httpx2
import msgspec

from gateway.client.call import Call
from gateway.client.patience import Patience
from gateway.client.problems import ClientError, NoAnswer, NotFound, Unreadable, is_problem, problem_of

T = TypeVar("T")
Outcome = httpx2.Response | NoAnswer | None
"""What came of a step: an answer, none, or, after a pause, nothing to say."""


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Step = Call[Any] | Pause


def asking(call: Call[T], patience: Patience) -> Generator[Step, Outcome, T]:
    """Yields what to send or how long to wait; returns the answer. Raises ClientError."""
    failed = 0
    while True:
        try:
            return answer_of(call, (yield call))
        except ClientError as error:
            failed += 1
            if isinstance(error, NoAnswer) and error.sent and call.look_up is not None:
                found = yield from _found(call.look_up, patience, error)
                if found is not None:
                    return found
            pause = patience.pause(call, failed, error)
            if pause is None:
                raise
            yield Pause(pause)


def _found(look_up: Call[T], patience: Patience, lost: NoAnswer) -> Generator[Step, Outcome, T | None]:
    """None when there is surely nothing to be found. Raises the loss itself when that cannot be said."""
    try:
        return (yield from asking(look_up, patience))
    except NotFound:
        return None
    except ClientError as error:
        raise lost from error


def answer_of(call: Call[T], outcome: Outcome) -> T:
    """Raises ClientError."""
    if isinstance(outcome, NoAnswer):
        raise outcome
    assert outcome is not None
    if is_problem(outcome):
        raise problem_of(outcome)
    if call.answer is str:
        return outcome.text  # type: ignore[return-value]
    try:
        answer: T = _decoder(cast(Hashable, call.answer)).decode(outcome.content)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"{outcome.status_code} {call.method} {call.path}: {error}") from error
    return answer


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@dataclass(slots=True)
class Seen:
    """The newest ledger position this client was told of; what it reads is at least as new."""

    position: int = 0

    def request(self, call: Call[Any]) -> dict[str, Any]:
        """The arguments of an HTTP request."""
        headers = dict(call.headers)
        if call.method == "GET" and self.position:
            headers["X-Ledger-Position"] = str(self.position)
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        body = call.body if isinstance(call.body, bytes | None) else msgspec.json.encode(call.body)
        return {
            "method": call.method,
            "url": call.path,
            "params": dict(call.query),
            "headers": headers,
            "content": body,
        }

    def notice(self, response: httpx2.Response) -> None:
        told = response.headers.get("x-ledger-position", "")
        self.see(int(told) if told.isdecimal() else 0)

    def see(self, position: int) -> None:
        self.position = max(self.position, position)


def no_answer(call: Call[Any], error: httpx2.TransportError) -> NoAnswer:
    sent = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    named = call.body.get("client_order_id") if isinstance(call.body, dict) else None
    words = f"{call.method} {call.path}: {type(error).__name__} {error}".rstrip()
    return NoAnswer(words, sent=sent, client_order_id=named)
