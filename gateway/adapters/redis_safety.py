"""The safety state in Redis: a fast copy that is either known to be whole or not used at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from gateway.adapters.redis_link import RedisLink, text
from gateway.adapters.redis_reservations import room_document
from gateway.adapters.redis_scripts import PUBLISH, PUBLISH_ROOM, READ, READY, REBUILD, SYMBOLS
from gateway.aggregates.vocabulary import StrategyId, Symbol
from gateway.ports import (
    MirroredBreaker,
    MirroredQuarantine,
    MirroredRoom,
    MirroredSwitch,
    MirrorReading,
    MirrorUnavailable,
    SafetyState,
)

T = TypeVar("T")

_SWITCHES: Final = "kill_switch:state"
_BREAKER: Final = "circuit_breaker:state"
_STATE: Final = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredQuarantine:
    """Lifted ones are kept too, so that an older word cannot bring them back."""

    quarantine: MirroredQuarantine
    active: bool
    version: int
    """Ledger position of the event that made it so."""


class RedisSafetyMirror:
    """A SafetyMirror. `generation` names the ledger; a mirror built from another ledger is no mirror."""

    def __init__(self, link: RedisLink, *, generation: str) -> None:
        self._link = link
        self._generation = generation

    async def read(self, *, strategy_id: StrategyId, symbol: Symbol) -> MirrorReading:
        ready, (built, *switches), breaker, *quarantines, room, is_named = await self._link.run(
            READ, (), (strategy_id, symbol)
        )
        self._require_build(ready, built, breaker)
        return MirrorReading(
            switches=_switches(("global", f"strategy:{strategy_id}", f"symbol:{symbol}"), switches),
            breaker=_read(MirroredBreaker, breaker),
            quarantine=_first_active(quarantines),
            room_known=_is_whole(room) or not is_named,
        )

    async def rebuild(self, state: SafetyState) -> None:
        await self._link.run(REBUILD, (), (self._generation, _state_document(state)))

    async def publish_switch(self, switch: MirroredSwitch) -> None:
        await self._publish(_SWITCHES, switch.scope, switch.version, switch)

    async def publish_breaker(self, breaker: MirroredBreaker) -> None:
        await self._publish(_BREAKER, _STATE, breaker.version, breaker)

    async def publish_quarantine(
        self, quarantine: MirroredQuarantine, *, active: bool, position: int
    ) -> None:
        stored = _StoredQuarantine(quarantine=quarantine, active=active, version=position)
        name = _quarantine_name(quarantine.strategy_id, quarantine.symbol)
        await self._publish(f"quarantine:{name}", _STATE, position, stored, quarantine=name)

    async def publish_room(self, room: MirroredRoom) -> None:
        await self._link.run(PUBLISH_ROOM, (), (self._generation, _json(room_document(room))))

    async def symbols(self) -> frozenset[Symbol]:
        names = await self._link.run(SYMBOLS, (), ())
        return frozenset(Symbol(found) for name in names if (found := text(name)) is not None)

    async def ready(self) -> bool:
        ready, built, breaker = await self._link.run(READY, (), ())
        try:
            self._require_build(ready, built, breaker)
        except MirrorUnavailable:
            return False
        return True

    def _require_build(self, ready: Any, built: Any, breaker: Any) -> None:
        generation, position = ready
        if text(generation) != self._generation or position is None:
            raise MirrorUnavailable("the mirror was not built from this ledger")
        if built is None or breaker is None:
            raise MirrorUnavailable("part of the mirror is lost")

    async def _publish(self, key: str, field: str, version: int, value: Any, quarantine: str = "") -> None:
        words = (self._generation, key, field, version, _json(value), quarantine)
        await self._link.run(PUBLISH, (), words)


def _switches(scopes: tuple[str, ...], values: list[Any]) -> dict[str, MirroredSwitch]:
    found = {
        scope: _read(MirroredSwitch, value)
        for scope, value in zip(scopes, values, strict=True)
        if value is not None
    }
    if any(switch.scope != scope for scope, switch in found.items()):
        raise MirrorUnavailable("a kill switch stands under another scope's name")
    return found


def _first_active(values: list[Any]) -> MirroredQuarantine | None:
    stored = [_read(_StoredQuarantine, value) for value in values if value is not None]
    return next((entry.quarantine for entry in stored if entry.active), None)


def _is_whole(room: list[Any]) -> bool:
    """Whether a room is there. Raises MirrorUnavailable when it is there in part or is garbage."""
    words = [text(value) for value in room]
    if words == [None, None, None]:
        return False
    if not all(word is not None and word.removeprefix("-").isdecimal() for word in words):
        raise MirrorUnavailable("a room in the mirror is garbage")
    return True


def _state_document(state: SafetyState) -> str:
    return _json(
        {
            "position": state.position,
            "switches": [
                {"scope": switch.scope, "version": switch.version, "text": _json(switch)}
                for switch in state.switches
            ],
            "breaker": {"version": state.breaker.version, "text": _json(state.breaker)},
            "quarantines": [
                {
                    "name": _quarantine_name(entry.strategy_id, entry.symbol),
                    "text": _json(_StoredQuarantine(quarantine=entry, active=True, version=state.position)),
                }
                for entry in state.quarantines
            ],
            "rooms": [room_document(room) for room in state.rooms],
        }
    )


def _quarantine_name(strategy_id: StrategyId | None, symbol: Symbol) -> str:
    return f"{strategy_id or '*'}:{symbol}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _read(kind: type[T], value: Any) -> T:
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, TypeError) as error:
        raise MirrorUnavailable(f"the mirror holds garbage: {error}") from None
