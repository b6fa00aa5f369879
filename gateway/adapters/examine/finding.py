"""What an examination found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: as it should be, or not, and then what to do."""

    subject: str
    ok: bool
    message: str
    what_to_do: str = ""


def found(subject: str, *, ok: bool, good: str, bad: str, what_to_do: str) -> Finding:
    """Say the good or the bad, and what to do only when there is something to do."""
    return Finding(subject=subject, ok=ok, message=good if ok else bad, what_to_do="" if ok else what_to_do)
