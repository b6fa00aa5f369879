"""What an answer to a request proves. Read top to bottom; the first row that applies decides."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
import urllib3

from gateway.adapters.alpaca_client import Reply, ReplyTooLong
from gateway.adapters.alpaca_json import storable
from gateway.adapters.alpaca_reports import Unparsable, parse_order
from gateway.aggregates.vocabulary import ClientOrderId, OrderId, Ticket
from gateway.ports import (
    Absent,
    Accepted,
    CancelOutcome,
    CancelRefused,
    CancelTaken,
    CancelUnknown,
    Duplicate,
    Found,
    Lookup,
    NotSent,
    RateLimited,
    Rejected,
    SubmitOutcome,
    Unknown,
    Unreadable,
)

_log = logging.getLogger(__name__)

Answer = Reply | Exception
"""What one request came to: an HTTP answer of any status, or the exception that ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one POST asked for. `retry_after` is the present pause of the rate limit, in seconds."""

    client_order_id: ClientOrderId
    ticket: Ticket
    retry_after: int = 1


Row = Callable[[Attempt, Reply], SubmitOutcome | None]

_KEPT: Final = 1_000
"""Bytes of an answer that cannot be read, for whoever has to understand it."""


def unanswered(error: Exception) -> SubmitOutcome:
    """Not sent when it is proved that no byte was written; in every other case nothing is known."""
    if never_left(error):
        return NotSent(reason=f"no connection to the broker: {_name(error)}")
    if not isinstance(error, _LOST):
        _log.error("an unforeseen error answered a submission", exc_info=error)
    return Unknown(reason=f"no answer from the broker: {_name(error)}")


def accepted(attempt: Attempt, reply: Reply) -> SubmitOutcome | None:
    """A readable order under our id, for our symbol and our side."""
    if not reply.ok:
        return None
    try:
        order = parse_order(reply.json())
    except Unparsable as error:
        return Unknown(reason=f"the broker's answer cannot be read: {error}; it began {reply.body[:_KEPT]!r}")
    asked = (attempt.client_order_id, attempt.ticket.symbol, attempt.ticket.side)
    if (order.client_order_id, order.symbol, order.side) != asked:
        _log.error("the broker answered with another order: %s", order.order_id)
        return Unknown(reason="the broker answered with another order")
    return Accepted(order)


def duplicate(_: Attempt, reply: Reply) -> SubmitOutcome | None:
    """The broker already holds an order under this client order id."""
    if reply.status == 409:
        return Duplicate()
    error = reply.error
    if reply.status != 422 or error is None or str(error.get("code")) != "40010001":
        return None
    message = error["message"].lower()
    return Duplicate() if "client_order_id" in message and "unique" in message else None


def turned_away(_: Attempt, reply: Reply) -> SubmitOutcome | None:
    """Our keys were refused at the door; the order was never looked at."""
    uncoded = reply.error is None or reply.error.get("code") is None
    if reply.status == 401 or (reply.status == 403 and uncoded):
        return NotSent(reason=f"the broker refuses our credentials ({reply.status})")
    return None


def verdict(_: Attempt, reply: Reply) -> SubmitOutcome | None:
    """The broker judged this order and says why. It says nothing about an earlier attempt."""
    error = reply.error
    if reply.status not in {400, 403, 404, 422} or error is None:
        return None
    code = error.get("code")
    return Rejected(
        code=None if code is None else str(code),
        message=error["message"],
        related_order_id=_related_order(error),
    )


def _related_order(error: Mapping[str, Any]) -> OrderId | None:
    """The order of ours that stands in this one's way, where the refusal names one."""
    others = error.get("related_orders")
    named = error.get("existing_order_id") or (others[0] if isinstance(others, list) and others else None)
    return OrderId(storable(named)) if isinstance(named, str) else None


def too_fast(attempt: Attempt, reply: Reply) -> SubmitOutcome | None:
    """Over the rate limit; by convention, not by proof, unprocessed."""
    return RateLimited(retry_after=attempt.retry_after) if reply.status == 429 else None


def anything_else(_: Attempt, reply: Reply) -> SubmitOutcome:
    """Redirects, 408, 5xx, refusals that cannot be read: no proof either way."""
    return Unknown(reason=f"the broker answered {reply.status} without a verdict")


ROWS: Final[tuple[Row, ...]] = (accepted, duplicate, turned_away, verdict, too_fast, anything_else)


def submit_outcome(attempt: Attempt, answer: Answer) -> SubmitOutcome:
    if isinstance(answer, Exception):
        return unanswered(answer)
    return next(outcome for row in ROWS if (outcome := row(attempt, answer)) is not None)


def cancel_outcome(answer: Answer) -> CancelOutcome:
    """204 means asked, not done; only a readable refusal is a refusal."""
    if isinstance(answer, Exception):
        return CancelUnknown(reason=_name(answer))
    if answer.status == 204:
        return CancelTaken()
    if answer.status in {404, 422} and answer.error is not None:
        return CancelRefused(message=answer.error["message"])
    return CancelUnknown(reason=f"the broker answered {answer.status}")


def lookup_outcome(answer: Answer, *, order_id: str | None, client_order_id: str | None) -> Lookup:
    """Found is the very order asked for; absent is a well-formed 404; all else is no evidence."""
    if isinstance(answer, Exception):
        return Unreadable(reason=_name(answer))
    if answer.is_absence():
        return Absent()
    if not answer.ok:
        return Unreadable(reason=f"the broker answered {answer.status}")
    try:
        order = parse_order(answer.json())
    except Unparsable as error:
        return Unreadable(reason=str(error))
    if order.order_id != (order_id or order.order_id):
        return Unreadable(reason="the broker answered with another order")
    if order.client_order_id != (client_order_id or order.client_order_id):
        return Unreadable(reason="the broker answered with another order")
    return Found(order)


def status_label(answer: Answer) -> str:
    """`success`, `error` or `timeout`: whether the broker did its part, not whether we liked the answer."""
    if isinstance(answer, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
        return "timeout"
    answered = isinstance(answer, Reply) and answer.status not in {401, 408, 425, 429} and answer.status < 500
    return "success" if answered else "error"


_UNSENT: Final = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.NewConnectionError,  # a name that does not resolve is one of these
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.LocationParseError,
    ssl.SSLCertVerificationError,
)
_LOST: Final = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    TimeoutError,
    ReplyTooLong,
)


def never_left(error: BaseException) -> bool:
    """Whether an exception proves that nothing was written to the broker."""
    return any(isinstance(link, _UNSENT) for link in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, its explicit cause, and the exceptions it carries as arguments or reason."""
    yield error
    inner = (error.__cause__, getattr(error, "reason", None), *error.args)
    for link in inner:
        if isinstance(link, BaseException):
            yield from _chain(link)


def _name(error: Exception) -> str:
    return type(error).__name__
