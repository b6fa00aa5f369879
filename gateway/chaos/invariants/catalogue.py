"""Every invariant that is checked, with the sentence it stands for."""

from __future__ import annotations

from typing import Final

from gateway.chaos.evidence import Check
from gateway.chaos.invariants import convergence, fills, ledger, orders, positions, safety

INVARIANTS: Final[tuple[tuple[str, str, Check], ...]] = (
    ("INV-01", "no double submit", orders.no_double_submit),
    ("INV-02", "no order without its intent", orders.no_unrecorded_order),
    ("INV-03", "no fill is lost", fills.no_lost_fill),
    ("INV-04", "every execution is booked once", fills.booked_once),
    ("INV-05", "filled is the sum of executions", fills.filled_is_their_sum),
    ("INV-06", "a position is the sum of its trades", positions.sum_of_trades),
    ("INV-07", "no cent is created or lost", positions.cash_identity),
    ("INV-09", "replay equals the read tables", ledger.replay_equals_tables),
    ("INV-11", "positions have no gap", ledger.no_gap),
    ("INV-12", "versions have no fork", ledger.no_fork),
    ("INV-13", "the kill switch is never bypassed", safety.never_bypassed),
    ("INV-18", "a retry is answered with the same order", orders.idempotent_reply),
    ("INV-20", "exposure stays within the limit", positions.within_the_limit),
    ("INV-29", "doubt is never shown as failure", orders.doubt_stays_visible),
    ("INV-30", "reconciliation converges", convergence.last_cycle_writes_nothing),
)
