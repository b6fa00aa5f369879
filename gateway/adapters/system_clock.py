"""The clock on the wall of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """A Clock that reads the operating system."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
