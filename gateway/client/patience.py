"""What is asked again, when, and what never is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.client.call import Call
from gateway.client.problems import ClientError, NoAnswer, Problem, RateLimited, Unavailable

_FIRST_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often, and for how long in one go, a caller waits before it hears of trouble.

    `tries` counts the first one. An event stream looks for the gateway for `reconnect_seconds`.
    """

    tries: int = 4
    longest_pause_seconds: float = 5.0
    reconnect_seconds: float = 60.0

    def pause(self, call: Call[Any], failed: int, error: ClientError) -> float | None:
        """Seconds to wait before asking again; None when the caller has to hear of it."""
        if failed >= self.tries:
            return None
        match error:
            case NoAnswer():
                harmless = call.repeatable or call.look_up is not None or not error.sent
                return self.backoff(failed) if harmless else None
            case Problem(retry_after=int() as seconds) if _did_nothing(call, error):
                return float(seconds) if seconds <= self.longest_pause_seconds else None
        return None

    def backoff(self, failed: int) -> float:
        return min(_FIRST_PAUSE_SECONDS * float(2**failed), self.longest_pause_seconds)


def _did_nothing(call: Call[Any], error: Problem) -> bool:
    """An order that was refused with 503 is its owner's to judge: its next attempt would be a new one."""
    if isinstance(error, RateLimited) or error.code == "draining":
        return True
    return call.repeatable and isinstance(error, Unavailable)
