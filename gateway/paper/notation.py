"""How numbers, times and ids are written on Alpaca's wire."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def plain(number: Decimal) -> str:
    """Without exponent and without trailing zeros: `150`, `0.5`."""
    return f"{number.normalize():f}" if number else "0"


def plain_or_none(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)


def new_york(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK).isoformat(timespec="microseconds")


def read_moment(text: str) -> datetime:
    """A date (midnight UTC), an RFC 3339 instant or a naive one (UTC). Raises ValueError."""
    # Both a "+" sent unencoded in a query and nanoseconds have to be tolerated.
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_date(text: str) -> date:
    return date.fromisoformat(text[:10])


def seeded_uuid(seed: int, kind: str, number: int) -> str:
    """The same seed, kind and number always give the same id."""
    digest = hashlib.blake2b(f"{seed}/{kind}/{number}".encode(), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))
