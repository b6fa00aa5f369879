"""The gates, each list one tuple. A gate's name is the log line, the metric label and the refusal's gate."""

from __future__ import annotations

from typing import Final

from gateway.commands.gates import slicing
from gateway.commands.gates.closing import reduce_only, reduce_only_lock
from gateway.commands.gates.safety import (
    circuit_breaker_tripped,
    circuit_breaker_unavailable,
    kill_switch_engaged,
    kill_switch_unavailable,
    position_reservation_unavailable,
    quarantine,
    recon_gate,
)
from gateway.commands.gates.ticket import fat_finger, idempotency, position_reservation
from gateway.commands.gates.walk import Gate, Verdict, Walk, walk_through

SUBMIT: Final[tuple[Gate, ...]] = (
    kill_switch_unavailable,  # fail closed
    circuit_breaker_unavailable,
    position_reservation_unavailable,
    kill_switch_engaged,
    circuit_breaker_tripped,
    quarantine,
    recon_gate,  # reduce-only passes
    position_reservation,  # held until answered
    idempotency,  # a duplicate is an answer, not a refusal
    fat_finger,
)

MANUAL: Final = SUBMIT
"""An operator's own order: `strategy_scope` stands before these."""

REDUCE: Final[tuple[Gate, ...]] = (
    reduce_only_lock,
    reduce_only,
    idempotency,
)
"""Close, flatten and reducing adjust; `strategy_scope` and, for flatten, `mfa` stand before these."""

SLICE: Final[tuple[slicing.SliceGate, ...]] = (
    slicing.scheduler_unavailable,
    kill_switch_unavailable,
    kill_switch_engaged,
    quarantine,
    slicing.recon_gate,
    slicing.liquidity,
)
"""A plan; `slice` stands after these. The breaker is asked when a slice is released."""

RELEASE: Final[tuple[Gate, ...]] = (
    kill_switch_unavailable,
    circuit_breaker_unavailable,
    position_reservation_unavailable,
    kill_switch_engaged,
    circuit_breaker_tripped,
    quarantine,
    slicing.recon_gate,  # a slice waits for it, whatever it would do to the position
    position_reservation,
    idempotency,
    fat_finger,
)
"""A slice at its time."""

__all__ = ["MANUAL", "REDUCE", "RELEASE", "SLICE", "SUBMIT", "Gate", "Verdict", "Walk", "walk_through"]
