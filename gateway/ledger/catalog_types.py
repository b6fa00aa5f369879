"""Kinds of streams, and the names under which their events are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway.ledger.envelope import Undecodable, split_topic

EventType = tuple[type, str, int]
"""An event class, its stored name and the version of its shape: `(OrderFilled, "order.filled", 1)`."""

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""An old body to the next version's body; both as plain JSON values."""

NAMED_EXACTLY: Final = "-"
"""A prefix that ends so names many streams (`order-…`); any other names the one stream it spells."""

REMEMBERED: Final = 50_000
"""How many streams' kinds are remembered, because a command asks for each of its streams several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamKind:
    """One kind of stream: what is written to it and how its state is folded.

    `live` says which states stay on the desk: never evicted, listed by `Desk.live`. `refs` names the
    broker's order id an event makes known. `state_version` must change whenever `evolve` or the shape of
    `state` does; older snapshots are then ignored. `upcasts` maps a stored topic to the step that brings
    its body one version further.
    """

    prefix: str
    state: type
    state_version: int
    events: tuple[EventType, ...]
    evolve: Callable[[Any, Any], Any]
    live: Callable[[Any], bool] | None = None
    refs: Callable[[Any], str | None] | None = None
    upcasts: Mapping[str, Upcast] = field(default_factory=dict)
    snapshot_every: int = 200
    safety: bool = False

    def is_live(self, state: object | None) -> bool:
        return self.live is not None and state is not None and self.live(state)


class UnknownStream(LookupError):
    """No kind of stream in the catalog has this name."""


class Catalog:
    """Every kind of stream there is, and the codec of their events."""

    def __init__(self, kinds: Iterable[StreamKind]) -> None:
        self.kinds: Final = tuple(kinds)
        self._exact = {k.prefix: k for k in self.kinds if not k.prefix.endswith(NAMED_EXACTLY)}
        self._prefixes = tuple(
            sorted((k for k in self.kinds if k.prefix.endswith(NAMED_EXACTLY)), key=lambda k: -len(k.prefix))
        )
        self.kind_of: Final = lru_cache(maxsize=REMEMBERED)(self._find_kind)
        """The kind of a stream. Raises UnknownStream."""
        self._topics: dict[type, str] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._upcasts: dict[str, tuple[str, Upcast]] = {}
        self._encode: Final = msgspec.json.Encoder(decimal_format="string").encode
        self._snapshot_decoders: dict[str, msgspec.json.Decoder[Any]] = {
            k.prefix: msgspec.json.Decoder(k.state) for k in self.kinds
        }
        for kind in self.kinds:
            self._name_events(kind)

    def _find_kind(self, stream: str) -> StreamKind:
        if (kind := self._exact.get(stream)) is not None:
            return kind
        for kind in self._prefixes:
            if stream.startswith(kind.prefix) and len(stream) > len(kind.prefix):
                return kind
        raise UnknownStream(stream)

    def encode(self, event: object) -> tuple[str, bytes]:
        """The topic and the JSON an event is stored under."""
        return self._topics[type(event)], self._encode(event)

    def decode(self, topic: str, body: bytes) -> object:
        """The event, or Undecodable: reading the log never fails on what it holds."""
        decoder = self._decoders.get(topic)
        try:
            if decoder is not None:
                return decoder.decode(body)
            return self._upcast(topic, body)
        except (ValueError, KeyError, TypeError, ArithmeticError, msgspec.MsgspecError) as error:
            return Undecodable(topic=topic, reason=str(error) or type(error).__name__)

    def encode_state(self, state: object) -> bytes:
        return self._encode(state)

    def decode_state(self, kind: StreamKind, state: bytes) -> object:
        """Raises msgspec.MsgspecError for a snapshot of another shape."""
        return self._snapshot_decoders[kind.prefix].decode(state)

    def _name_events(self, kind: StreamKind) -> None:
        for event_class, name, version in kind.events:
            topic = f"{name}.v{version}"
            if topic in self._decoders:
                raise ValueError(f"two events are stored as {topic}")
            if event_class in self._topics:
                raise ValueError(f"{event_class.__name__} is stored under two names")
            self._topics[event_class] = topic
            self._decoders[topic] = msgspec.json.Decoder(event_class)
        for topic, step in kind.upcasts.items():
            name, version = split_topic(topic)
            self._upcasts[topic] = (f"{name}.v{version + 1}", step)

    def _upcast(self, topic: str, body: bytes) -> object:
        fields = msgspec.json.decode(body)
        while topic in self._upcasts:
            topic, step = self._upcasts[topic]
            fields = step(fields)
        return self._decoders[topic].decode(self._encode(fields))
