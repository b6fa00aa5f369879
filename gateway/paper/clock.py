"""One virtual session clock, the sessions on it, and the agenda of what is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final, Literal, Protocol

from gateway.paper.holidays import is_half_day, is_trading_day
from gateway.paper.notation import NEW_YORK

Mode = Literal["real", "scaled", "manual"]


def wall() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Virtual UTC: the wall clock, a scaled one, or one that moves only when told to."""

    def __init__(self) -> None:
        self.mode: Mode = "real"
        self.speed = 1
        self._origin = self._anchor = wall()

    def now(self) -> datetime:
        match self.mode:
            case "real":
                return wall()
            case "scaled":
                return self._origin + (wall() - self._anchor) * self.speed
            case "manual":
                return self._origin

    def set(self, mode: Mode, *, now: datetime | None = None, speed: int = 1) -> None:
        self._origin, self._anchor = now or self.now(), wall()
        self.mode, self.speed = mode, speed

    def move_to(self, moment: datetime) -> None:
        """Jump a manual clock; the others move by themselves."""
        if self.mode == "manual":
            self._origin = max(self._origin, moment)

    def wall_seconds_until(self, moment: datetime) -> float | None:
        """How long to sleep until then; None when only a command can bring it about."""
        if self.mode == "manual":
            return None
        return max((moment - self.now()).total_seconds() / self.speed, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The times of one trading day in New York; `first` and `last` bound the extended hours around it."""

    first: time_of_day
    opens: time_of_day
    closes: time_of_day
    last: time_of_day


ROUND_THE_CLOCK: Final = Hours(
    first=time_of_day(), opens=time_of_day(), closes=time_of_day(23, 59), last=time_of_day(23, 59)
)
FULL_DAY: Final = Hours(
    first=time_of_day(4), opens=time_of_day(9, 30), closes=time_of_day(16), last=time_of_day(20)
)
HALF_DAY: Final = Hours(
    first=time_of_day(4), opens=time_of_day(9, 30), closes=time_of_day(13), last=time_of_day(17)
)

OPENING_CUTOFF: Final = timedelta(minutes=2)
CLOSING_CUTOFF: Final = timedelta(minutes=10)
AUCTIONS_REOPEN: Final = time_of_day(19)


class Session(Protocol):
    """When the market is open. Instants are UTC; the dates of sessions are New York's."""

    def is_open(self, now: datetime) -> bool: ...
    def is_extended(self, now: datetime) -> bool:
        """Whether orders trade that ask for extended hours."""

    def next_open(self, now: datetime) -> datetime: ...
    def next_close(self, now: datetime) -> datetime: ...
    def next_first(self, now: datetime) -> datetime:
        """When the extended hours begin."""

    def next_last(self, now: datetime) -> datetime:
        """When the extended hours end."""

    def takes_auction(self, time_in_force: str, now: datetime) -> bool:
        """Whether an order for the opening or the closing auction may be entered."""

    def hours(self, day: date) -> Hours | None: ...


def _new_york_instant(day: date, at: time_of_day) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)


class AlwaysOpen:
    """A rolling session that never closes; the trading day turns at midnight in New York."""

    def is_open(self, now: datetime) -> bool:
        return True

    def is_extended(self, now: datetime) -> bool:
        return True

    def next_open(self, now: datetime) -> datetime:
        return _new_york_instant(now.astimezone(NEW_YORK).date() + timedelta(days=1), time_of_day())

    def next_close(self, now: datetime) -> datetime:
        return self.next_open(now)

    def next_first(self, now: datetime) -> datetime:
        return self.next_open(now)

    def next_last(self, now: datetime) -> datetime:
        return self.next_open(now)

    def takes_auction(self, time_in_force: str, now: datetime) -> bool:
        return True

    def hours(self, day: date) -> Hours | None:
        return ROUND_THE_CLOCK


class RegularHours:
    """New York's sessions on the days of its calendar."""

    def is_open(self, now: datetime) -> bool:
        local = now.astimezone(NEW_YORK)
        hours = self.hours(local.date())
        return hours is not None and hours.opens <= local.time() < hours.closes

    def is_extended(self, now: datetime) -> bool:
        local = now.astimezone(NEW_YORK)
        hours = self.hours(local.date())
        return hours is not None and hours.first <= local.time() < hours.last

    def next_open(self, now: datetime) -> datetime:
        return self._next(now, lambda hours: hours.opens)

    def next_close(self, now: datetime) -> datetime:
        return self._next(now, lambda hours: hours.closes)

    def next_first(self, now: datetime) -> datetime:
        return self._next(now, lambda hours: hours.first)

    def next_last(self, now: datetime) -> datetime:
        return self._next(now, lambda hours: hours.last)

    def takes_auction(self, time_in_force: str, now: datetime) -> bool:
        day = now.astimezone(NEW_YORK).date()
        hours = self.hours(day)
        if hours is None:
            return True
        if time_in_force == "opg":
            cutoff = _new_york_instant(day, hours.opens) - OPENING_CUTOFF
        else:
            cutoff = _new_york_instant(day, hours.closes) - CLOSING_CUTOFF
        return not cutoff <= now < _new_york_instant(day, AUCTIONS_REOPEN)

    def hours(self, day: date) -> Hours | None:
        if not is_trading_day(day):
            return None
        return HALF_DAY if is_half_day(day) else FULL_DAY

    def _next(self, now: datetime, at: Callable[[Hours], time_of_day]) -> datetime:
        day = now.astimezone(NEW_YORK).date()
        while (hours := self.hours(day)) is None or _new_york_instant(day, at(hours)) <= now:
            day += timedelta(days=1)
        return _new_york_instant(day, at(hours))


SESSIONS: dict[str, Session] = {"always": AlwaysOpen(), "regular": RegularHours()}


def trading_day(now: datetime) -> date:
    return now.astimezone(NEW_YORK).date()


def following_day(session: Session, day: date) -> date:
    """The next trading day, on which trades of `day` settle."""
    while not session.hours(day := day + timedelta(days=1)):
        pass
    return day


def preceding_days(session: Session, last: date, count: int) -> list[date]:
    """The `count` trading days before `last`, newest first."""
    days: list[date] = []
    while len(days) < count:
        last -= timedelta(days=1)
        if session.hours(last):
            days.append(last)
    return days


@dataclass(frozen=True, slots=True, order=True)
class Appointment:
    when: datetime
    number: int
    routine: bool


class Agenda:
    """What is due when; equal instants keep the order in which they were made."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Told whenever something new is due, so that a sleeper can look again."""
        self._heap: list[Appointment] = []
        self._work: dict[Appointment, Callable[[], None]] = {}
        self._made = 0

    @property
    def is_quiet(self) -> bool:
        return all(appointment.routine for appointment in self._heap)

    def at(self, when: datetime, work: Callable[[], None], *, routine: bool = False) -> None:
        """Routine is what would happen on any day: a tick, an opening, the end of an order's time."""
        self._made += 1
        appointment = Appointment(when, self._made, routine)
        self._work[appointment] = work
        heapq.heappush(self._heap, appointment)
        self.changed()

    def next_due(self) -> datetime | None:
        return self._heap[0].when if self._heap else None

    def pop_due(self, now: datetime) -> tuple[datetime, Callable[[], None]] | None:
        if not self._heap or self._heap[0].when > now:
            return None
        appointment = heapq.heappop(self._heap)
        return appointment.when, self._work.pop(appointment)
