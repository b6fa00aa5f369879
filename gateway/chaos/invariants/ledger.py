"""The ledger itself: every position once, every version once, and tables that are its fold."""

from __future__ import annotations

from collections import Counter, defaultdict

from gateway.chaos.evidence import Evidence


def replay_equals_tables(evidence: Evidence) -> list[str]:
    """INV-09: every read table equals a fold of the log from its first event."""
    if not evidence.tables.proofs:
        return ["nobody has folded the log again"]
    return [f"{proof['name']}: {proof['failures']}" for proof in evidence.tables.proofs if not proof["ok"]]


def no_gap(evidence: Evidence) -> list[str]:
    """INV-11: positions are 1..N, one event each."""
    positions = [event.position for event in evidence.events]
    expected = range(1, len(positions) + 1)
    missing = sorted(set(expected) - set(positions))[:5]
    doubled = [position for position, count in Counter(positions).items() if count > 1][:5]
    found = [f"position {position} is missing" for position in missing]
    return found + [f"position {position} is there twice" for position in doubled]


def no_fork(evidence: Evidence) -> list[str]:
    """INV-12: the versions of every stream are 1..n, in the order of their positions."""
    streams: dict[str, list[int]] = defaultdict(list)
    for event in sorted(evidence.events, key=lambda event: event.position):
        streams[event.stream].append(event.version)
    return [
        f"{stream} has versions {versions[:5]}…"
        for stream, versions in streams.items()
        if versions != list(range(1, len(versions) + 1))
    ]
