"""Every HTTP exchange this exchange has seen, without the secrets of its clients."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gateway.paper.notation import stamp, stamp_or_none

KEPT = 20_000


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """`handled`: it reached its handler. `status`: what the client was sent, 0 for a cut connection."""

    number: int
    received_at: datetime
    method: str
    path: str
    query: str
    key_id: str | None
    body: str
    handled: bool = False
    status: int | None = None
    answered_at: datetime | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {
            "received_at": stamp(self.received_at),
            "answered_at": stamp_or_none(self.answered_at),
        }


class RequestLog:
    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=KEPT)
        self._made = 0

    def add(self, scope: Mapping[str, Any], body: bytes, now: datetime) -> RequestRecord:
        self._made += 1
        headers = dict(scope["headers"])
        key_id = headers.get(b"apca-api-key-id")
        record = RequestRecord(
            number=self._made,
            received_at=now,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            key_id=key_id.decode("latin-1") if key_id else None,
            body=body.decode("utf-8", "replace"),
        )
        self._records.append(record)
        return record

    def after(self, number: int) -> list[dict[str, object]]:
        return [record.as_json() for record in self._records if record.number > number]

    def in_flight(self) -> int:
        return sum(record.answered_at is None for record in self._records)

    def clear(self) -> None:
        self._records.clear()
