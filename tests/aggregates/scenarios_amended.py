"""Golden scenarios of time in force, busts and corrections, halts, and the rest."""

from __future__ import annotations

from tests.aggregates.desk import (
    broker_order,
    bust,
    correct,
    total_only,
    trade,
    word,
)
from tests.aggregates.scenario import (
    accepted,
    closed_copy,
    scenario,
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


SCENARIOS = (*I, *J, *K, *L)
