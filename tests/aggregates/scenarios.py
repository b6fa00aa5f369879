"""The golden scenarios as data: what happens, and what the desk shows after it."""

from __future__ import annotations

from decimal import Decimal

from tests.aggregates.desk import (
    broker_order,
    cancel_rejected,
    replace_rejected,
    trade,
    word,
)
from tests.aggregates.scenario import (
    accepted,
    adopt,
    cancel,
    filled_in_the_reply,
    not_sent,
    proved_absent,
    refused_as_another_ticket,
    resubmitted,
    scenario,
    twenty,
    unknown,
)
from tests.aggregates.scenarios_amended import SCENARIOS as AMENDED

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


SCENARIOS = (*A, *B, *C, *E, *F, *AMENDED)
