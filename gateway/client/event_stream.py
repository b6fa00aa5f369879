"""Server-sent events: which ones are wanted, how they are read, and from where to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from gateway.client.answers.ledger import Event
from gateway.client.call import given
from gateway.client.patience import Patience
from gateway.client.problems import ClientError, NoAnswer, Problem, RateLimited, Unavailable

PATH: Final = "/api/v1/events/stream"
TIMEOUT: Final = httpx2.Timeout(5.0, read=40.0)
"""The gateway breaks a silence every 15 seconds; after 40 the connection is dead."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """A reader's place in the log. It moves with every event, so a new connection goes on behind it."""

    after: int
    wanted: Mapping[str, Any]
    patience: Patience
    _failed: int = 0
    _waited: float = 0.0
    _data: list[str] = field(default_factory=list)

    def request(self) -> dict[str, Any]:
        """The arguments of a streaming HTTP request."""
        self._data.clear()
        headers = {"Last-Event-ID": str(self.after)}
        return {
            "method": "GET",
            "url": PATH,
            "params": given(self.wanted),
            "headers": headers,
            "timeout": TIMEOUT,
        }

    def event(self, line: str) -> Event | None:
        """An event once its last line is read. Comments and names say nothing that the data does not."""
        if line.startswith("data:"):
            self._data.append(line.removeprefix("data:").removeprefix(" "))
        if line or not self._data:
            return None
        event = msgspec.json.decode("\n".join(self._data), type=Event)
        self._data.clear()
        self._failed, self._waited, self.after = 0, 0.0, event.position
        return event

    def gave_up(self) -> NoAnswer:
        return NoAnswer(f"no events since position {self.after}: the gateway is away", sent=False)

    def pause(self, error: ClientError | None) -> float | None:
        """Seconds until the next connection; None when it is time to give up. An ended stream is no error."""
        if isinstance(error, Problem) and not isinstance(error, RateLimited | Unavailable):
            return None
        if self._waited >= self.patience.reconnect_seconds:
            return None
        self._failed += 1
        told = error.retry_after if isinstance(error, Problem) else None
        seconds = self.patience.backoff(self._failed) if told is None else float(told)
        self._waited += seconds
        return seconds
