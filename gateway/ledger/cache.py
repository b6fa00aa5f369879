"""The newest state of streams: what is live is always here, the rest as long as there is room."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.envelope import Row, StreamPoisoned, Undecodable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream as of one version; `poison` says why its state cannot be known."""

    version: int
    state: Any
    poison: Undecodable | None = None

    def known_state(self, stream: str) -> Any:
        """Raises StreamPoisoned."""
        if self.poison is not None:
            raise StreamPoisoned(f"{stream} at version {self.version}: {self.poison.reason}")
        return self.state


ABSENT: Final = Entry(0, None)


class Desk(Protocol):
    """What the desk works from: the live streams, as of a position of the log."""

    @property
    def position(self) -> int: ...

    def live(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """Live streams of one kind. A poisoned stream is left out, unless its kind guards safety."""

    def state(self, stream: str) -> Any | None:
        """The state of a stream that is live or remembered; None says only that it is not on the desk."""

    def version(self, stream: str) -> int:
        """The version that state stands at; 0 for a stream that is not on the desk."""


def advance(kind: StreamKind, entry: Entry, event: object, version: int) -> Entry:
    """One event further; what cannot be read or folded poisons its stream and no other."""
    if entry.poison is not None:
        return Entry(version, None, entry.poison)
    if isinstance(event, Undecodable):
        return Entry(version, None, event)
    try:
        return Entry(version, kind.evolve(entry.state, event))
    except Exception as error:  # noqa: BLE001 - only this stream stops
        return Entry(version, None, Undecodable(topic=type(event).__name__, reason=repr(error)))


class Cache:
    """States by stream, folded to one position. Live streams are pinned, the least used of the others go."""

    def __init__(self, catalog: Catalog, *, room: int = 20_000) -> None:
        self._catalog = catalog
        self._room = room
        self._live: dict[str, dict[str, Entry]] = {kind.prefix: {} for kind in catalog.kinds}
        self._resting: OrderedDict[str, Entry] = OrderedDict()
        self._poisoned: dict[str, Undecodable] = {}
        self.position = 0
        self.dormant: set[str] = set()
        """Streams that were not here when an event came for them; they may be live now, so load them."""

    def __len__(self) -> int:
        return len(self._resting) + sum(map(len, self._live.values()))

    @property
    def poisoned(self) -> dict[str, Undecodable]:
        return dict(self._poisoned)

    def get(self, stream: str) -> Entry | None:
        entry = self._resting.get(stream)
        if entry is not None:
            self._resting.move_to_end(stream)
            return entry
        return self._live[self._catalog.kind_of(stream).prefix].get(stream)

    def put(self, stream: str, entry: Entry) -> None:
        kind = self._catalog.kind_of(stream)
        self.dormant.discard(stream)
        if entry.poison is not None:
            if stream not in self._poisoned:
                log.critical("ledger.poisoned", extra={"stream": stream, "reason": entry.poison.reason})
            self._poisoned[stream] = entry.poison
        elif self._poisoned:
            self._poisoned.pop(stream, None)
        if entry.poison is None and kind.is_live(entry.state):
            self._live[kind.prefix][stream] = entry
            self._resting.pop(stream, None)
            return
        self._live[kind.prefix].pop(stream, None)
        self._resting[stream] = entry
        self._resting.move_to_end(stream)
        if len(self._resting) > self._room:
            self._resting.popitem(last=False)

    def live_entries(self) -> list[tuple[str, Entry]]:
        return [item for streams in self._live.values() for item in streams.items()]

    def live(self, prefix: str) -> Iterator[tuple[str, Any]]:
        self.refuse_poisoned(prefix)
        for stream, entry in list(self._live[prefix].items()):
            yield stream, entry.state

    def state(self, stream: str) -> Any | None:
        if stream in self._poisoned:
            raise StreamPoisoned(f"{stream}: {self._poisoned[stream].reason}")
        entry = self.get(stream)
        return None if entry is None else entry.state

    def version(self, stream: str) -> int:
        entry = self.get(stream)
        return 0 if entry is None else entry.version

    def refuse_poisoned(self, prefix: str) -> None:
        """Raises StreamPoisoned where leaving out a poisoned stream would let a risk through."""
        for stream in self._poisoned:
            kind = self._catalog.kind_of(stream)
            if kind.safety and kind.prefix == prefix:
                raise StreamPoisoned(f"{stream}: {self._poisoned[stream].reason}")

    def fold(self, rows: Iterable[Row], wanted: Iterable[str] = ()) -> None:
        """Take in what the log says, decoding only streams that are here, wanted, or may become live."""
        wanted = frozenset(wanted)
        for row in rows:
            position, stream, version, topic, body = row[:5]
            self.position = max(self.position, position)
            try:
                kind = self._catalog.kind_of(stream)
            except LookupError:
                continue
            entry = self.get(stream)
            if entry is None:
                if version != 1:
                    if kind.live is not None:
                        self.dormant.add(stream)
                    continue
                if kind.live is None and stream not in wanted:
                    continue
                entry = ABSENT
            if version == entry.version + 1:
                self.put(stream, advance(kind, entry, self._catalog.decode(topic, body), version))
            elif version > entry.version + 1:
                self.forget(stream)

    def forget(self, stream: str) -> None:
        """Drop what is remembered; a stream that may be live is loaded again."""
        kind = self._catalog.kind_of(stream)
        self._resting.pop(stream, None)
        self._live[kind.prefix].pop(stream, None)
        if kind.live is not None:
            self.dormant.add(stream)


class Draft:
    """A working copy: what a batch has decided so far, over a cache it leaves as it was."""

    def __init__(self, cache: Cache, catalog: Catalog, assumed_absent: Iterable[str]) -> None:
        self._cache = cache
        self._catalog = catalog
        self._changed: dict[str, Entry] = {}
        self.assumed_absent: Final = frozenset(assumed_absent)

    @property
    def position(self) -> int:
        return self._cache.position

    def entry(self, stream: str) -> Entry:
        """Raises KeyError for a stream nobody loaded."""
        entry = self._changed.get(stream) or self._cache.get(stream)
        if entry is None and stream in self.assumed_absent:
            return ABSENT
        if entry is None:
            raise KeyError(stream)
        return entry

    def has_changed(self, streams: Iterable[str]) -> bool:
        return any(stream in self._changed for stream in streams)

    def put(self, entries: dict[str, Entry]) -> None:
        self._changed.update(entries)

    def keep(self) -> list[tuple[str, Entry]]:
        """Make the working copy the truth; returns what changed. From here on it shows the cache as it is."""
        changed = list(self._changed.items())
        self._changed.clear()
        for stream, entry in changed:
            self._cache.put(stream, entry)
        return changed

    def live(self, prefix: str) -> Iterator[tuple[str, Any]]:
        for stream, state in self._cache.live(prefix):
            if stream not in self._changed:
                yield stream, state
        for stream, entry in self._changed.items():
            kind = self._catalog.kind_of(stream)
            if kind.prefix == prefix and kind.is_live(entry.state):
                yield stream, entry.state

    def state(self, stream: str) -> Any | None:
        entry = self._changed.get(stream)
        return self._cache.state(stream) if entry is None else entry.state

    def version(self, stream: str) -> int:
        entry = self._changed.get(stream)
        return self._cache.version(stream) if entry is None else entry.version
