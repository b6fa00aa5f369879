"""One socket on the stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.paper.sockets import Peer


@dataclass(slots=True, eq=False)
class Connection:
    """One socket: what waits to be sent on it, and whether it is muted."""

    id: str
    peer: Peer
    outbox: asyncio.Queue[bytes | int] = field(default_factory=asyncio.Queue)
    account: str = ""
    listening: bool = False
    sent: int = 0
    said_goodbye: bool = False
    _mute_ends: asyncio.TimerHandle | None = None
    _held: list[bytes] | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "account": self.account,
            "listening": self.listening,
            "muted": self.is_muted,
            "sent": self.sent,
        }

    @property
    def is_muted(self) -> bool:
        return self._mute_ends is not None

    def push(self, frame: bytes) -> str:
        """What becomes of the frame: `sent`, `dropped` or `delayed`."""
        if not self.listening:
            return "dropped"
        if self.is_muted and self._held is None:
            return "dropped"
        if self._held is not None:
            self._held.append(frame)
            return "delayed"
        self.outbox.put_nowait(frame)
        self.sent += 1
        return "sent"

    def mute(self, seconds: float, *, backlog: str) -> None:
        """Say nothing for a while; what would have been said is dropped, or held until the end."""
        if self._mute_ends:
            self._mute_ends.cancel()
        self._held = [] if backlog == "hold" else None
        self._mute_ends = asyncio.get_running_loop().call_later(seconds, self._unmute)

    def _unmute(self) -> None:
        held, self._held, self._mute_ends = self._held or [], None, None
        for frame in held:
            self.push(frame)

    def drop(self, code: int) -> None:
        self.listening = False
        self.outbox.put_nowait(code)
