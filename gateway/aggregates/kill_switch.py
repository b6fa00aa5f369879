"""The kill switch of one scope: the whole desk, one strategy or one symbol. No event at all means ACTIVE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from gateway.aggregates.refusals import KillSwitchAlreadyEngaged, KillSwitchNotEngaged


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchEngaged:
    """No new order of the scope leaves from here on."""

    by: str
    reason: str
    at: datetime
    on_behalf_of: str | None = None
    details: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchDisengaged:
    """New orders of the scope may leave again."""

    by: str
    at: datetime
    on_behalf_of: str | None = None
    notes: str | None = None


KillSwitchEvent = KillSwitchEngaged | KillSwitchDisengaged


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """`engaged` blocks every new order of the scope. The other fields say who last did what, and when."""

    engaged: bool
    engaged_at: datetime | None = None
    engaged_by: str | None = None
    on_behalf_of: str | None = None
    reason: str | None = None
    details: dict[str, Any] | None = None
    disengaged_at: datetime | None = None
    disengaged_by: str | None = None
    notes: str | None = None
    engagements_on: tuple[date | None, int] = (None, 0)

    def engagements_today(self, today: date) -> int:
        """How often it was engaged on a UTC date."""
        day, count = self.engagements_on
        return count if day == today else 0


def engage(
    switch: KillSwitch | None,
    *,
    by: str,
    reason: str,
    at: datetime,
    on_behalf_of: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> tuple[KillSwitchEvent, ...]:
    """Raises KillSwitchAlreadyEngaged."""
    if switch is not None and switch.engaged:
        raise KillSwitchAlreadyEngaged(
            f"already engaged by {switch.engaged_by}: {switch.reason}",
            engaged_by=switch.engaged_by,
            engaged_at=switch.engaged_at,
        )
    return (
        KillSwitchEngaged(
            by=by,
            reason=reason,
            at=at,
            on_behalf_of=on_behalf_of,
            details=dict(details) if details is not None else None,
        ),
    )


def disengage(
    switch: KillSwitch | None,
    *,
    by: str,
    at: datetime,
    on_behalf_of: str | None = None,
    notes: str | None = None,
) -> tuple[KillSwitchEvent, ...]:
    """Raises KillSwitchNotEngaged."""
    if switch is None or not switch.engaged:
        raise KillSwitchNotEngaged("the kill switch of this scope is not engaged")
    return (KillSwitchDisengaged(by=by, at=at, on_behalf_of=on_behalf_of, notes=notes),)


def evolve(switch: KillSwitch | None, event: KillSwitchEvent) -> KillSwitch:
    """Apply one recorded fact."""
    before = switch or KillSwitch(engaged=False)
    match event:
        case KillSwitchEngaged():
            today = event.at.date()
            return replace(
                before,
                engaged=True,
                engaged_at=event.at,
                engaged_by=event.by,
                on_behalf_of=event.on_behalf_of,
                reason=event.reason,
                details=event.details,
                engagements_on=(today, before.engagements_today(today) + 1),
            )
        case KillSwitchDisengaged():
            return replace(
                before, engaged=False, disengaged_at=event.at, disengaged_by=event.by, notes=event.notes
            )
