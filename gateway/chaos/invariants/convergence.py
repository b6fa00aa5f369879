"""Reconciliation: once nothing goes wrong any more, it finds nothing more to do."""

from __future__ import annotations

from typing import Final

from gateway.chaos.evidence import Evidence

_GATE: Final = "recon-gate"


def last_cycle_writes_nothing(evidence: Evidence) -> list[str]:
    """INV-30: the last pass that ended recorded nothing but that it was made."""
    ended = evidence.of("reconciliation.passed")
    if not ended:
        return ["no reconciliation pass has ended"]
    run = ended[-1].data["run_id"]
    began = next(e.position for e in evidence.of("reconciliation.attempted") if e.data["run_id"] == run)
    return [
        f"the last pass wrote {event.topic} to {event.stream}"
        for event in evidence.events
        if began < event.position < ended[-1].position and not _is_about_itself(event.stream, event.topic)
    ]


def _is_about_itself(stream: str, topic: str) -> bool:
    return (stream == _GATE and topic.startswith("reconciliation.")) or stream.startswith(
        ("audit-", "lease-")
    )
