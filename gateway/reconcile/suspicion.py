"""A difference seen once may be one book running ahead of the other; seen again, later, it is real. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.aggregates.differences import Difference


@dataclass(frozen=True, slots=True)
class Suspect:
    """A difference since it was first seen; `confirmed` once a later look found it again."""

    difference: Difference
    since: datetime
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """`confirmed` outlived the tolerance and a second look; `suspects` are all that is kept, by subject."""

    suspects: dict[str, Suspect]
    confirmed: tuple[Difference, ...]


def second_look(
    suspects: Mapping[str, Suspect],
    found: Iterable[Difference],
    *,
    asked: Callable[[Difference], bool],
    now: datetime,
    tolerance: timedelta,
) -> Verdicts:
    """A difference counts only when the very same gap was there before, at least `tolerance` ago.

    `asked` tells whether this look could have found a difference at all; where it could not, what was
    suspected stays suspected.
    """
    kept = {subject: suspect for subject, suspect in suspects.items() if not asked(suspect.difference)}
    confirmed: list[Difference] = []
    for difference in found:
        before = suspects.get(difference.subject)
        if before is None or before.difference.gap != difference.gap:
            kept[difference.subject] = Suspect(difference, now)
            continue
        is_real = before.confirmed or now - before.since >= tolerance
        kept[difference.subject] = replace(before, confirmed=is_real)
        if is_real:
            confirmed.append(difference)
    return Verdicts(suspects=kept, confirmed=tuple(confirmed))
