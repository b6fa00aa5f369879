"""The shape of a golden scenario, and the verbs on our own side that they use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import ReportSource
from tests.aggregates.desk import (
    Desk,
    at,
    broker_order,
    bust,
    trade,
)

Act = Callable[[Desk], Desk]
Step = tuple[ExecutionReport | Act, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`steps` pair what happens with what is shown after it; `position` and `realized` hold at the end."""

    id: str
    steps: tuple[Step, ...]
    position: str
    realized: str = "0"
    flags: frozenset[str] = frozenset()
    average: str | None = None
    submitted: bool = True


def scenario(
    id: str,  # noqa: A002
    *steps: Step,
    position: str = "0",
    realized: str = "0",
    flags: tuple[str, ...] = (),
    average: str | None = None,
    submitted: bool = True,
) -> Scenario:
    return Scenario(
        id=id,
        steps=steps,
        position=position,
        realized=realized,
        flags=frozenset(flags),
        average=average,
        submitted=submitted,
    )


def accepted(desk: Desk) -> Desk:
    return desk.accepted()


def cancel(desk: Desk) -> Desk:
    return desk.append(desk.now.request_cancel(at(50)))


def adopt(desk: Desk) -> Desk:
    held = broker_order("new", 2)
    return desk.append(desk.now.accept(held, ReportSource.LOOKUP, adopted=True))


def unknown(desk: Desk) -> Desk:
    return desk.append(desk.now.outcome_unknown("read timeout", at(1)))


def refused_as_another_ticket(desk: Desk) -> Desk:
    return desk.append(desk.now.reject("broker_id_conflict", "qty differs", None, ReportSource.LOOKUP))


def not_sent(desk: Desk) -> Desk:
    return desk.append(desk.now.not_send("broker_unavailable", "connection refused"))


def proved_absent(desk: Desk) -> Desk:
    return desk.append(desk.now.not_accept("three well-formed not-founds"))


def filled_in_the_reply(desk: Desk) -> Desk:
    desk.accepted("filled", filled_qty=Decimal(100), filled_avg_px=Decimal(10))
    return desk.append(desk.now.infer(Decimal(100), Decimal(10), at(1), ReportSource.REPLY))


def resubmitted(desk: Desk) -> Desk:
    """A second attempt: room taken again, then the event."""
    again = desk.now.resubmit(at(5))
    fresh = Desk(position=desk.position, history=desk.history).submit(desk.now.ticket)
    desk.position, desk.history = fresh.position, fresh.history
    return desk.append(again)


def closed_copy(ref: str, minute: int) -> ExecutionReport:
    """A bust whose copy of the order says that the order is over."""
    return bust("b", ref, minute, order=broker_order("filled", minute, filled_qty=Decimal(90)))


def twenty(minute: int = 2) -> ExecutionReport:
    return trade("e1", 20, 10, minute, 20)
