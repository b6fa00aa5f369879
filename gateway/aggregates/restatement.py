"""A symbol folded anew, without an execution or with other terms for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from gateway.aggregates import cost_basis
from gateway.aggregates.cost_basis import FLAT, Book
from gateway.aggregates.exact import minus, plus, total
from gateway.aggregates.position.events import (
    DailyDifference,
    ExecutionRestated,
    PositionAdjusted,
    PositionBusted,
    PositionCorrected,
    PositionEvent,
    PositionFilled,
    PositionSplit,
    Restatement,
)
from gateway.aggregates.vocabulary import EXTERNAL, ZERO, ClientOrderId, ExecId, Side, StrategyId

Key = tuple[ClientOrderId, ExecId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One execution as it counts now, with the realized amounts that stand in the ledger for it."""

    client_order_id: ClientOrderId
    exec_id: ExecId
    strategy_id: StrategyId
    side: Side
    qty: Decimal
    px: Decimal
    transact_time: datetime
    account_realized: Decimal
    strategy_realized: Decimal

    @property
    def key(self) -> Key:
        return self.client_order_id, self.exec_id


Step = Entry | PositionAdjusted | PositionSplit


def restate(history: Sequence[PositionEvent], key: Key, qty: Decimal, px: Decimal) -> Restatement:
    """What the books become when the execution `key` counts as `qty` at `px`; zero undoes it."""
    steps = _steps(history)
    changed = [
        replace(step, qty=qty, px=px) if isinstance(step, Entry) and step.key == key else step
        for step in steps
    ]
    before, _, _ = _fold(steps)
    after, strategies, refolded = _fold(changed)
    moved = [
        (old, new)
        for old, new in zip((s for s in steps if isinstance(s, Entry)), refolded, strict=True)
        if (old.account_realized, old.strategy_realized) != (new.account_realized, new.strategy_realized)
    ]
    return Restatement(
        before=before,
        after=after,
        strategies=tuple(sorted(strategies.items())),
        daily=_daily(moved),
        executions=tuple(
            ExecutionRestated(
                exec_id=new.exec_id,
                client_order_id=new.client_order_id,
                account_realized=new.account_realized,
                strategy_realized=new.strategy_realized,
            )
            for _, new in moved
        ),
    )


def refold(history: Iterable[PositionEvent]) -> tuple[Book, dict[StrategyId, Book]]:
    """The account's book and the strategies', computed anew from every execution as it counts now."""
    account, strategies, _ = _fold(_steps(history))
    return account, strategies


def traded_since(at: datetime, history: Iterable[PositionEvent]) -> Mapping[StrategyId, Decimal]:
    """Signed shares each strategy has traded after an instant, by the broker's time."""
    return _traded_since(at, [step for step in _steps(history) if isinstance(step, Entry)])


def _traded_since(at: datetime | None, entries: Iterable[Entry]) -> Mapping[StrategyId, Decimal]:
    sums: dict[StrategyId, Decimal] = {}
    for entry in entries:
        if at is not None and entry.transact_time > at:
            moved = cost_basis.signed(entry.side, entry.qty)
            sums[entry.strategy_id] = plus(sums.get(entry.strategy_id, ZERO), moved)
    return sums


def split_books(
    account: Book,
    strategies: Mapping[StrategyId, Book],
    since: Mapping[StrategyId, Decimal],
    *,
    old: Decimal,
    new: Decimal,
) -> tuple[Book, dict[StrategyId, Book]]:
    """Every strategy's book by the ratio, and the account's by their sum, so that they stay one."""
    after = {s: cost_basis.split(book, old, new, since=since.get(s, ZERO)) for s, book in strategies.items()}
    added = total(minus(after[s].qty, book.qty) for s, book in strategies.items())
    qty = plus(account.qty, added)
    return replace(account, qty=qty, cost=account.cost if qty else ZERO), after


def _steps(history: Iterable[PositionEvent]) -> list[Step]:
    """The history with earlier restatements already in force, in the order of booking."""
    steps: list[Step] = []
    place: dict[Key, int] = {}
    for event in history:
        match event:
            case PositionFilled():
                entry = _entry(event)
                place[entry.key] = len(steps)
                steps.append(entry)
            case PositionAdjusted() | PositionSplit():
                steps.append(event)
            case PositionBusted() | PositionCorrected():
                _amend(steps, place, event)
            case _:
                pass
    return steps


def _amend(steps: list[Step], place: dict[Key, int], event: PositionBusted | PositionCorrected) -> None:
    at = place[(event.client_order_id, event.exec_id)]
    entry = steps[at]
    if isinstance(entry, Entry):
        qty, px = (ZERO, entry.px) if isinstance(event, PositionBusted) else (event.qty, event.px)
        steps[at] = replace(entry, qty=qty, px=px)
    for restated in event.restatement.executions:
        at = place[(restated.client_order_id, restated.exec_id)]
        entry = steps[at]
        if isinstance(entry, Entry):
            steps[at] = replace(
                entry,
                account_realized=restated.account_realized,
                strategy_realized=restated.strategy_realized,
            )


def _fold(steps: Iterable[Step]) -> tuple[Book, dict[StrategyId, Book], list[Entry]]:
    """The account's book, the strategies' books, and the executions with what they realize."""
    account = FLAT
    strategies: dict[StrategyId, Book] = {}
    entries: list[Entry] = []
    for step in steps:
        match step:
            case Entry():
                mine = strategies.get(step.strategy_id, FLAT)
                account, by_account = cost_basis.apply(account, step.side, step.qty, step.px)
                mine, by_strategy = cost_basis.apply(mine, step.side, step.qty, step.px)
                strategies[step.strategy_id] = mine
                entries.append(replace(step, account_realized=by_account, strategy_realized=by_strategy))
            case PositionAdjusted():
                account = cost_basis.adjust(account, step.qty, step.cost)
                external = strategies.get(EXTERNAL, FLAT)
                strategies[EXTERNAL] = cost_basis.adjust(external, step.qty, step.cost)
            case PositionSplit():
                since = _traded_since(step.at, entries)
                account, strategies = split_books(account, strategies, since, old=step.old, new=step.new)
    return account, strategies, entries


def _daily(moved: Iterable[tuple[Entry, Entry]]) -> tuple[DailyDifference, ...]:
    """The differences by UTC date of execution and strategy."""
    sums: dict[tuple[date, StrategyId], tuple[Decimal, Decimal]] = {}
    for old, new in moved:
        key = (old.transact_time.astimezone(UTC).date(), old.strategy_id)
        account, strategy = sums.get(key, (ZERO, ZERO))
        sums[key] = (
            plus(account, minus(new.account_realized, old.account_realized)),
            plus(strategy, minus(new.strategy_realized, old.strategy_realized)),
        )
    return tuple(
        DailyDifference(
            date=day, strategy_id=strategy_id, account_realized=account, strategy_realized=strategy
        )
        for (day, strategy_id), (account, strategy) in sorted(sums.items())
        if account or strategy
    )


def _entry(event: PositionFilled) -> Entry:
    return Entry(
        client_order_id=event.client_order_id,
        exec_id=event.exec_id,
        strategy_id=event.strategy_id,
        side=event.side,
        qty=event.qty,
        px=event.px,
        transact_time=event.transact_time,
        account_realized=event.account_realized,
        strategy_realized=event.strategy_realized,
    )
