"""Is the ledger whole, and do the figures follow from it? Every check folds the log itself."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter
from typing import Any, Final

from gateway.aggregates.order.events import FillBusted, FillCorrected, FillSuperseded, OrderFilled
from gateway.aggregates.order.state import Order
from gateway.aggregates.order.state import evolve as evolve_order
from gateway.aggregates.position.events import PositionAdjusted, PositionSplit
from gateway.aggregates.position.state import Position
from gateway.aggregates.position.state import evolve as evolve_position
from gateway.aggregates.vocabulary import ZERO, position_stream
from gateway.ledger.envelope import Recorded, Undecodable
from gateway.ledger.log import Log
from gateway.projections.comparison import Comparison
from gateway.projections.projection import Unfoldable
from gateway.projections.verify import BITE

SHOWN_FAILURES: Final = 20
Progress = Callable[[int, int], None]
Tables = Callable[[], Awaitable[Sequence[Comparison]]]
"""Holds the read tables against the log. Raises Unfoldable."""


@dataclass(slots=True)
class Check:
    """`failures` says what is wrong, the first few of it; `checked` counts what was looked at."""

    name: str
    checked: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures

    def look(self, problem: str | None) -> None:
        """One thing was looked at; `problem` is None when it is as it should be."""
        self.checked += 1
        if problem is not None and len(self.failures) < SHOWN_FAILURES:
            self.failures.append(problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    ok: bool
    head: int
    events_checked: int
    duration_ms: int
    checks: Sequence[Check]


class _Fold:
    """The whole log, folded once, with every rule looked at on the way."""

    def __init__(self, first: int) -> None:
        self.positions_gapless = Check("positions_gapless")
        self.stream_versions = Check("stream_versions")
        self.decode = Check("decode")
        self.executions_unique = Check("executions_unique")
        self.reservations = Check("reservations")
        self.positions = Check("positions")
        self._from_the_start = first == 1
        self._next = first
        self._versions: dict[str, int] = {}
        self._booked: dict[str, str] = {}
        self._unfoldable: set[str] = set()
        self._orders: dict[str, Order] = {}
        self._holdings: dict[str, Position] = {}
        self._executed: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._splits: defaultdict[str, list[PositionSplit]] = defaultdict(list)
        self.events = 0

    def take(self, recorded: Recorded) -> None:
        self.events += 1
        gapless = recorded.position == self._next
        self.positions_gapless.look(None if gapless else f"expected {self._next}, found {recorded.position}")
        self._next = recorded.position + 1
        before = self._versions.get(recorded.stream, 0 if self._from_the_start else recorded.version - 1)
        self.stream_versions.look(
            None
            if recorded.version == before + 1
            else f"{recorded.stream} goes from {before} to {recorded.version} at {recorded.position}"
        )
        self._versions[recorded.stream] = recorded.version
        readable = not isinstance(recorded.event, Undecodable)
        self.decode.look(None if readable else f"{recorded.position}: {recorded.event}")
        if readable and self._from_the_start and recorded.stream not in self._unfoldable:
            self._try(recorded)

    def _try(self, recorded: Recorded) -> None:
        """What was tampered with may not fold; its stream is then said to be broken and left out."""
        try:
            self._fold(recorded.stream, recorded.event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._unfoldable.add(recorded.stream)
            self._orders.pop(recorded.stream, None)
            self.decode.look(f"{recorded.position}: {recorded.stream} cannot be folded: {error!r}")

    def _fold(self, stream: str, event: Any) -> None:
        if stream.startswith("order-"):
            self._fold_order(stream, event)
        elif stream.startswith("position-"):
            self._holdings[stream] = evolve_position(self._holdings.get(stream), event)
            if isinstance(event, PositionAdjusted):
                self._executed[stream] += event.qty
            elif isinstance(event, PositionSplit):
                self._executed[stream] += event.added
                self._splits[stream].append(event)

    def _fold_order(self, stream: str, event: Any) -> None:
        before = self._orders.get(stream)
        after = self._orders[stream] = evolve_order(before, event)
        if isinstance(event, OrderFilled):
            exec_id = event.trade.exec_id
            first = self._booked.setdefault(exec_id, stream)
            again = before is not None and exec_id in before.executions
            twice = first != stream or again
            self.executions_unique.look(f"{exec_id} is booked on {first} and {stream}" if twice else None)
        moved = after.cum_qty - (before.cum_qty if before is not None else ZERO)
        symbol = position_stream(after.ticket.symbol)
        self._executed[symbol] += after.ticket.side.sign * self._in_new_shares(symbol, after, event, moved)

    def _in_new_shares(self, symbol: str, order: Order, event: Any, moved: Decimal) -> Decimal:
        """What undoing an execution from before a split takes out of the holding after it."""
        undone = isinstance(event, FillBusted | FillCorrected | FillSuperseded)
        if not (undone and moved and self._splits[symbol]):
            return moved
        name = event.exec_id if isinstance(event, FillSuperseded) else event.ref_exec_id
        execution = order.fills.root(name)
        for split in self._splits[symbol]:
            if execution is not None and (split.at is None or execution.transact_time <= split.at):
                moved = moved * split.new / split.old
        return moved

    async def conclude(self) -> Sequence[Check]:
        for number, order in enumerate(self._orders.values()):
            if number % BITE == 0:
                await asyncio.sleep(0)
            held = self._holdings.get(position_stream(order.ticket.symbol), Position())
            reserved, cid = held.reserved_for(order.client_order_id), order.client_order_id
            self.reservations.look(
                None
                if reserved == order.leaves_qty
                else f"{cid} has leaves {order.leaves_qty} and {reserved} reserved"
            )
        for stream in self._holdings.keys() | self._executed.keys():
            qty = self._holdings.get(stream, Position()).qty
            executed = self._executed[stream]
            self.positions.look(
                None if qty == executed else f"{stream} holds {qty}, executions add up to {executed}"
            )
        return (
            self.positions_gapless,
            self.stream_versions,
            self.decode,
            self.executions_unique,
            self.reservations,
            self.positions,
        )


async def verify(
    log: Log,
    tables: Tables,
    *,
    first: int = 1,
    last: int | None = None,
    drift: Callable[[], Awaitable[Decimal | None]] | None = None,
    progress: Progress = lambda *_: None,
) -> Report:
    """Check the log between two positions and, with `tables`, the read tables against a fresh fold.

    Figures that follow from the whole log are checked only when it is read from its start. `drift` gives
    the difference in shares between the Redis mirror and the ledger, None when it cannot be told. In small
    bites, because it is asked for inside a serving process too. Raises LedgerUnavailable.
    """
    started = perf_counter()
    head = await log.head()
    last = head if last is None else min(last, head)
    fold = _Fold(first)
    async for batch in log.scan(first - 1, upto=last, batch=BITE):
        for recorded in batch:
            fold.take(recorded)
        await asyncio.sleep(0)
        progress(fold.events, last - first + 1)
    checks = [*await fold.conclude()]
    if drift is not None:
        shares = await drift()
        if shares is None:
            fold.reservations.look("the mirror was not compared: it cannot be reached")
        else:
            fold.reservations.look(f"the mirror differs by {shares} shares" if shares else None)
    checks.append(await _compare(tables))
    return Report(
        ok=all(check.ok for check in checks),
        head=head,
        events_checked=fold.events,
        duration_ms=round((perf_counter() - started) * 1000),
        checks=checks,
    )


async def _compare(tables: Tables) -> Check:
    check = Check("projections")
    try:
        for comparison in await tables():
            check.look(None if comparison.equal else str(comparison))
    except Unfoldable as error:
        check.look(f"the log cannot be folded: {error}")
    return check
