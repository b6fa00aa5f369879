"""Room per symbol in Redis, taken atomically and once per client order id."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import msgspec

from gateway.adapters.redis_link import RedisLink, text
from gateway.adapters.redis_scripts import AUDIT, GIVE_BACK, LOOK, RESERVE
from gateway.aggregates.vocabulary import ZERO, ClientOrderId, Side, Symbol
from gateway.ports import MirroredRoom, MirrorUnavailable, Reservation

_PLACES: Final = 9  # the broker's finest fraction of a share
_EXPOSURE: Final = {Side.BUY: "long", Side.SELL: "short"}


class RedisReservations:
    """Reservations beside the mirror of the same `generation`, which must have been built first."""

    def __init__(self, link: RedisLink, *, generation: str) -> None:
        self._link = link
        self._generation = generation

    async def reserve(
        self, client_order_id: ClientOrderId, *, symbol: Symbol, side: Side, qty: Decimal, limit: Decimal
    ) -> Reservation:
        wanted, allowed = _units(qty), _units(limit)
        granted, fresh, exposure = await self._link.run(
            RESERVE,
            (),
            (
                self._generation,
                symbol,
                client_order_id,
                _EXPOSURE[side],
                wanted,
                allowed,
                wanted - allowed,
                allowed - wanted,
            ),
        )
        standing = _shares(exposure)
        return Reservation(
            granted=bool(granted), fresh=bool(fresh), would_be=standing if granted else standing + qty
        )

    async def give_back(self, client_order_id: ClientOrderId, symbol: Symbol) -> None:
        await self._link.run(GIVE_BACK, (), (self._generation, symbol, client_order_id))

    async def drift(self, rooms: Sequence[MirroredRoom], *, older_than_seconds: float) -> Decimal:
        """Best asked when the mirror's follower has caught up: what it has yet to bring counts as drift."""
        documents = msgspec.json.encode([room_document(room) for room in rooms]).decode()
        age = round(older_than_seconds * 1000)
        found = await self._link.run(AUDIT, (), (self._generation, documents, age))
        befores, afters = found[::2], found[1::2]
        return sum(
            (abs(_shares(after) - _shares(before)) for before, after in zip(befores, afters, strict=True)),
            start=ZERO,
        )

    async def difference(self, rooms: Sequence[MirroredRoom], *, older_than_seconds: float) -> Decimal:
        """What `drift` would find, and nothing is corrected."""
        ours = {room.symbol: room for room in rooms}
        symbols = msgspec.json.encode(list(ours)).decode()
        now, shown = await self._link.run(LOOK, (), (self._generation, symbols))
        oldest = now - round(older_than_seconds * 1000)
        found = ZERO
        for name, figures, tokens in shown:
            symbol = Symbol(text(name) or "")
            room = ours.get(symbol) or MirroredRoom(symbol=symbol, qty=ZERO, version=0)
            try:
                found += _difference(room, [text(figure) for figure in figures], tokens, oldest)
            except ValueError:
                raise MirrorUnavailable("a room in the mirror is garbage") from None
        return found


def _difference(room: MirroredRoom, figures: Sequence[str | None], tokens: Any, oldest: int) -> Decimal:
    """Shares between the exposures shown and those the ledger and what is under way add up to."""
    version, long, short = figures
    if int(version or -1) > room.version:
        return ZERO
    expected = {"long": _units(room.qty), "short": -_units(room.qty)}
    for side, leaves in room.leaves.values():
        expected[_EXPOSURE[side]] += _units(leaves)
    for name, fields in tokens:
        token, (exposure, qty, recorded, at) = text(name), map(text, fields)
        known = token in room.leaves or token in room.recorded
        if recorded == "0" and not known and exposure in expected and int(at or 0) >= oldest:
            expected[exposure] += int(qty or 0)
    units = abs(expected["long"] - int(long or 0)) + abs(expected["short"] - int(short or 0))
    return Decimal(units).scaleb(-_PLACES).normalize()


def room_document(room: MirroredRoom) -> dict[str, Any]:
    """A room in the units and the shape the scripts read."""
    return {
        "symbol": room.symbol,
        "version": room.version,
        "long": str(_units(room.qty)),
        "short": str(-_units(room.qty)),
        "leaves": [
            {"id": client_order_id, "side": _EXPOSURE[side], "qty": str(_units(leaves))}
            for client_order_id, (side, leaves) in room.leaves.items()
        ],
        "recorded": sorted(room.recorded),
    }


def _units(shares: Decimal) -> int:
    """Shares in billionths, rounded up."""
    return int(shares.scaleb(_PLACES).to_integral_value(ROUND_CEILING))


def _shares(units: Any) -> Decimal:
    word = text(units) or ""
    try:
        return Decimal(int(word)).scaleb(-_PLACES).normalize() + ZERO
    except ValueError:
        raise MirrorUnavailable("a room in the mirror is garbage") from None
