"""The golden scenarios as data: what happens, and what the desk shows after it."""

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
    cancel_rejected,
    correct,
    replace_rejected,
    total_only,
    trade,
    word,
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


A = (
    scenario(
        "GT-A1",
        (accepted, "new (0/100)"),
        (trade("e1", 40, "10.00", 2, 40), "partially_filled (40/60)"),
        (trade("e2", 60, "11.00", 3, 100), "filled (100/0)"),
        position="100",
        average="10.6",
    ),
    scenario(
        "GT-A2",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("done_for_day", 3), "done_for_day (40/60)"),
        (word("expired", 4), "expired (40/0)"),
        position="40",
    ),
    scenario(
        "GT-A3",
        (filled_in_the_reply, "filled (100/0)"),
        (word("new", 1), "filled (100/0)"),
        (trade("e1", 100, 10, 1, 100), "filled (100/0)"),
        position="100",
    ),
)

B = (
    scenario(
        "GT-B1",
        (accepted, "new (0/100)"),
        (cancel, "pending_cancel (0/100)"),
        (word("pending_cancel", 2), "pending_cancel (0/100)"),
        (word("canceled", 3), "canceled (0/0)"),
    ),
    scenario(
        "GT-B2",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (cancel, "pending_cancel (20/80)"),
        (word("pending_cancel", 3), "pending_cancel (20/80)"),
        (trade("e2", 30, 10, 4, 50), "pending_cancel (50/50)"),
        (word("canceled", 5), "canceled (50/0)"),
        position="50",
    ),
    scenario(
        "GT-B2-unasked",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (word("pending_cancel", 3), "pending_cancel (20/80)"),
        (trade("e2", 30, 10, 4, 50), "pending_cancel (50/50)"),
        (word("canceled", 5), "canceled (50/0)"),
        position="50",
    ),
    scenario(
        "GT-B3",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (cancel, "pending_cancel (20/80)"),
        (word("pending_cancel", 3), "pending_cancel (20/80)"),
        (trade("e2", 80, 10, 4, 100), "filled (100/0)"),
        (cancel_rejected(5), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-B4",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (cancel, "pending_cancel (20/80)"),
        (trade("e2", 80, 10, 4, 100), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-B5",
        (unknown, "submitted_unconfirmed (0/100)"),
        (cancel, "pending_cancel (0/100)"),
        (adopt, "pending_cancel (0/100)"),
        (word("canceled", 3), "canceled (0/0)"),
    ),
    scenario(
        "GT-B6",
        (cancel, "pending_cancel (0/100)"),
        (word("pending_cancel", 3), "pending_cancel (0/100)"),
        (word("new", 2), "pending_cancel (0/100)"),
        (word("canceled", 4), "canceled (0/0)"),
    ),
    scenario(
        "GT-B7",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (cancel, "pending_cancel (20/80)"),
        (word("pending_cancel", 3), "pending_cancel (20/80)"),
        (cancel_rejected(4), "partially_filled (20/80)"),
        position="20",
    ),
    scenario(
        "GT-B9",
        (accepted, "new (0/100)"),
        (trade("e1", 50, 10, 2, 50), "partially_filled (50/50)"),
        (word("canceled", 3), "canceled (50/0)"),
        (trade("e2", 20, 10, 4, 70), "canceled (70/0)"),
        (trade("e3", 30, 10, 5, 100), "filled (100/0)"),
        position="100",
        flags=("late_fill",),
    ),
)

C = (
    scenario(
        "GT-C2",
        (accepted, "new (0/100)"),
        (trade("e1", 10, 10, 2, 10), "partially_filled (10/90)"),
        (word("pending_replace", 3), "pending_replace (10/90)"),
        (trade("e2", 10, 10, 4, 20), "pending_replace (20/80)"),
        (word("replaced", 5), "replaced (20/0)"),
        position="20",
    ),
    scenario(
        "GT-C4",
        (accepted, "new (0/100)"),
        (word("pending_replace", 3), "pending_replace (0/100)"),
        (trade("e1", 100, 10, 4, 100), "filled (100/0)"),
        (replace_rejected(5), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-C5",
        (accepted, "new (0/100)"),
        (twenty(), "partially_filled (20/80)"),
        (word("pending_replace", 3), "pending_replace (20/80)"),
        (replace_rejected(4), "partially_filled (20/80)"),
        position="20",
    ),
    scenario(
        "GT-C6",
        (accepted, "new (0/100)"),
        (word("replaced", 3), "replaced (0/0)"),
        (trade("e1", 30, 10, 4, 30), "replaced (30/0)"),
        position="30",
        flags=("late_fill",),
    ),
)

E = (
    scenario(
        "GT-E1",
        (trade("e1", 40, 10, 2, 40, order=broker_order("partially_filled", 2)), "partially_filled (40/60)"),
        (trade("e2", 60, 10, 3, 100), "filled (100/0)"),
        position="100",
        flags=("orphan", "external"),
        submitted=False,
    ),
    scenario(
        "GT-E2",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("canceled", 3, reason="CORPORATE_ACTION"), "canceled (40/0)"),
        position="40",
    ),
    scenario(
        "GT-E3",
        (accepted, "new (0/100)"),
        (word("restated", 2, order=broker_order("new", 2, limit_px=Decimal(11))), "new (0/100)"),
        (trade("e1", 100, 11, 3, 100), "filled (100/0)"),
        position="100",
        flags=("ticket_mismatch",),
    ),
    scenario(
        "GT-E4",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("canceled", 3, order=broker_order("canceled", 3, qty=Decimal(40))), "canceled (40/0)"),
        position="40",
        flags=("ticket_mismatch",),
    ),
    scenario(
        "GT-E5",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("canceled", 3), "canceled (40/0)"),
        (word("new", 4), "canceled (40/0)"),
        (trade("e2", 60, 10, 5, 100), "filled (100/0)"),
        position="100",
        flags=("late_fill",),
    ),
    scenario(
        "GT-E6",
        (lambda desk: desk.accepted("held"), "submitted (0/100)"),
        (word("held", 1), "submitted (0/100)"),
        (word("new", 3), "new (0/100)"),
    ),
)

F = (
    scenario("GT-F1", (adopt, "new (0/100)")),
    scenario("GT-F2", (refused_as_another_ticket, "rejected (0/0)")),
    scenario(
        "GT-F2-unknown",
        (unknown, "submitted_unconfirmed (0/100)"),
        (refused_as_another_ticket, "rejected (0/0)"),
    ),
    scenario(
        "GT-F4", (not_sent, "failed (0/0)"), (resubmitted, "pending_new (0/100)"), (accepted, "new (0/100)")
    ),
    scenario(
        "GT-F5",
        (lambda desk: desk.accepted("accepted"), "accepted (0/100)"),
        (word("rejected", 2), "rejected (0/0)"),
    ),
    scenario(
        "GT-F6",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("rejected", 3), "rejected (40/0)"),
        position="40",
    ),
    scenario(
        "GT-F7",
        (unknown, "submitted_unconfirmed (0/100)"),
        (proved_absent, "not_accepted (0/0)"),
        (trade("e1", 100, 10, 2, 100), "filled (100/0)"),
        position="100",
        flags=("unexpected_at_broker",),
    ),
    scenario(
        "GT-F7-in-part",
        (unknown, "submitted_unconfirmed (0/100)"),
        (proved_absent, "not_accepted (0/0)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        position="40",
        flags=("unexpected_at_broker",),
    ),
)

I = (  # noqa: E741
    scenario("GT-I1", (accepted, "new (0/100)"), (word("canceled", 2), "canceled (0/0)")),
    scenario(
        "GT-I2",
        (accepted, "new (0/100)"),
        (trade("e1", 30, 10, 2, 30), "partially_filled (30/70)"),
        (word("canceled", 2), "canceled (30/0)"),
        position="30",
    ),
    scenario("GT-I3", (accepted, "new (0/100)"), (word("expired", 2), "expired (0/0)")),
    scenario("GT-I3-canceled", (accepted, "new (0/100)"), (word("canceled", 2), "canceled (0/0)")),
)

J = (
    scenario(
        "GT-J1",
        (accepted, "new (0/100)"),
        (trade("e1", 10, 100, 2, 10), "partially_filled (10/90)"),
        (trade("e2", 90, 110, 3, 100), "filled (100/0)"),
        (bust("b1", "e1", 4), "partially_filled (90/10)"),
        (correct("c1", "e2", 90, 100, 5), "partially_filled (90/10)"),
        (trade("e3", 10, 120, 6, 100), "filled (100/0)"),
        (correct("c2", "c1", 90, 120, 7), "filled (100/0)"),
        (correct("c3", "c2", 95, 120, 8), "filled (105/0)"),
        position="105",
        average="120",
        flags=("busted", "corrected", "overfilled"),
    ),
    scenario(
        "GT-J2",
        (accepted, "new (0/100)"),
        (trade("e1", 50, 50, 2, 50), "partially_filled (50/50)"),
        (word("canceled", 3), "canceled (50/0)"),
        (bust("b1", "e1", 4), "canceled (0/0)"),
        (trade("e2", 40, 51, 5, 40), "canceled (40/0)"),
        position="40",
        flags=("busted", "late_fill"),
    ),
    scenario(
        "GT-J3",
        (accepted, "new (0/100)"),
        (trade("e1", 50, 10, 2, 50), "partially_filled (50/50)"),
        (word("done_for_day", 3), "done_for_day (50/50)"),
        (correct("c1", "e1", 40, 10, 4), "done_for_day (40/60)"),
        (bust("b1", "c1", 5), "done_for_day (0/100)"),
        flags=("busted", "corrected"),
    ),
    scenario(
        "GT-J4-closed",
        (accepted, "new (0/100)"),
        (trade("e1", 90, 10, 2, 90), "partially_filled (90/10)"),
        (trade("e2", 10, 10, 3, 100), "filled (100/0)"),
        (closed_copy("e2", 1440), "canceled (90/0)"),
        position="90",
        flags=("busted",),
    ),
    scenario(
        "GT-J4-working",
        (accepted, "new (0/100)"),
        (trade("e1", 90, 10, 2, 90), "partially_filled (90/10)"),
        (trade("e2", 10, 10, 3, 100), "filled (100/0)"),
        (bust("b", "e2", 1440, order=broker_order("partially_filled", 1440)), "partially_filled (90/10)"),
        position="90",
        flags=("busted",),
    ),
    scenario(
        "GT-J5",
        (accepted, "new (0/100)"),
        (bust("b1", "e1", 3), "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "new (0/100)"),
        flags=("busted",),
    ),
    *(
        scenario(
            f"GT-J6-{name}",
            (accepted, "new (0/100)"),
            (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
            (bust("b1", "e1", 3, qty), "new (0/100)"),
            flags=("busted",),
        )
        for name, qty in (("negative", -40), ("positive", 40))
    ),
    *(
        scenario(
            f"GT-J7-{name}",
            (accepted, "new (0/100)"),
            (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
            (bust("b1", "e1", 3), "new (0/100)"),
            (bust(again, "e1", 3), "new (0/100)"),
            flags=("busted",),
        )
        for name, again in (("one-id", "b1"), ("two-ids", "b2"))
    ),
    *(
        scenario(
            f"GT-J8-{name}",
            (accepted, "new (0/100)"),
            (correct("c2", ref, 40, 12, 4), "new (0/100)"),
            (correct("c1", "e1", 40, 11, 3), "new (0/100)"),
            (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
            position="40",
            average="12",
            flags=("corrected",),
        )
        for name, ref in (("naming-the-last", "c1"), ("naming-the-first", "e1"))
    ),
)

K = (
    scenario(
        "GT-K1",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("suspended", 3), "suspended (40/60)"),
        (word("restated", 4, order=broker_order("partially_filled", 4)), "partially_filled (40/60)"),
        (trade("e2", 60, 10, 5, 100), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-K2",
        (accepted, "new (0/100)"),
        (trade("e1", 40, 10, 2, 40), "partially_filled (40/60)"),
        (word("suspended", 3), "suspended (40/60)"),
        (word("canceled", 4), "canceled (40/0)"),
        position="40",
    ),
)

L = (
    scenario(
        "GT-L1",
        (accepted, "new (0/100)"),
        (word("stopped", 2), "stopped (0/100)"),
        (trade("e1", 100, 10, 3, 100), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-L2",
        (accepted, "new (0/100)"),
        (trade("e1", 100, 10, 3, 100), "filled (100/0)"),
        (word("calculated", 4), "filled (100/0)"),
        position="100",
    ),
    scenario(
        "GT-L3",
        (accepted, "new (0/100)"),
        (total_only(30, 10, 2), "partially_filled (30/70)"),
        (trade("e1", 10, 10, 2, 10), "partially_filled (30/70)"),
        (trade("e2", 20, 10, 2, 30), "partially_filled (30/70)"),
        position="30",
    ),
)

SCENARIOS = (*A, *B, *C, *E, *F, *I, *J, *K, *L)
