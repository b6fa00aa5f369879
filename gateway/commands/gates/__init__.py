"""The gates, each list one tuple. A gate's name is the log line, the metric label and the refusal's gate."""

from __future__ import annotations

from typing import Final

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

__all__ = ["SUBMIT", "Gate", "Verdict", "Walk", "walk_through"]
