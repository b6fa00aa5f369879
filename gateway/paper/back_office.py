"""What happens to accounts without a trade: corporate actions, fees, transfers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from gateway.paper.bars import to_tick
from gateway.paper.clock import trading_day
from gateway.paper.facts import DayClosed, Dividend, Elected, Endowed, Posted, Restated, Split, Trailed
from gateway.paper.fees import billed, fees_of
from gateway.paper.kernel import Kernel
from gateway.paper.notation import NEW_YORK, plain
from gateway.paper.orders import ZERO, Order
from gateway.paper.world import World

CORPORATE_ACTION = "CORPORATE_ACTION"


class BackOffice:
    """Every posting is an activity; a split, a dividend and a day are each settled once."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._world = kernel, kernel.world
        self.close_days()

    # Corporate actions.

    def split(
        self, symbol: str, ratio: Decimal, mark: str, *, orders: Literal["cancel", "restate"] | None = None
    ) -> None:
        """Multiply positions, divide averages; resting orders end, or go on at divided prices."""
        with self._kernel.turn():
            group = self._kernel.new_id("group")
            for account, held in self._holders(symbol):
                self._post_split(account, symbol, held, ratio, group)
            self._kernel.record(Split(at=self._now(), symbol=symbol, ratio=ratio, mark=mark))
            for order_id in list(self._world.live):
                order = self._world.orders[order_id]
                if order.symbol == symbol and order.is_live:  # another of its family may have taken it along
                    self._settle_order(order, ratio, orders or self._kernel.rules.split_orders)

    def _post_split(self, account: str, symbol: str, held: Decimal, ratio: Decimal, group: str) -> None:
        """The old shares out, the new ones in."""
        sub_kind = "FSPLIT" if ratio > 1 else "RSPLIT"
        for qty in (-held, held * ratio):
            self._post(
                account,
                "SPLIT",
                f"{symbol} {plain(ratio)} for 1",
                sub_kind=sub_kind,
                symbol=symbol,
                qty=qty,
                group=group,
            )

    def _settle_order(self, order: Order, ratio: Decimal, how: str) -> None:
        """What has traded stays as it was; of the rest a restated order keeps whole shares only."""
        leaves = order.leaves * ratio
        if order.leaves == order.leaves.to_integral_value():
            leaves = leaves.to_integral_value(ROUND_DOWN)
        if how == "cancel" or not leaves:
            self._kernel.end(order.id, "canceled", reason=CORPORATE_ACTION)
            return
        fact = Restated(
            at=self._now(),
            order_id=order.id,
            qty=order.filled_qty + leaves,
            limit_price=to_tick(order.limit_price / ratio) if order.limit_price else None,
            stop_price=to_tick(order.stop_price / ratio) if order.stop_price else None,
            reason=CORPORATE_ACTION,
        )
        self._kernel.record(fact)
        self._settle_marks(order, ratio)

    def _settle_marks(self, order: Order, ratio: Decimal) -> None:
        """Prices an order carries besides its terms; a trail in dollars stays as wide as it was."""
        now = self._now()
        if order.hwm and order.stop_price:
            hwm, stop_price = to_tick(order.hwm / ratio), to_tick(order.stop_price / ratio)
            self._kernel.record(Trailed(at=now, order_id=order.id, hwm=hwm, stop_price=stop_price))
        if order.protection:
            protection = to_tick(order.protection / ratio)
            self._kernel.record(Elected(at=now, order_id=order.id, protection=protection))

    def dividend(self, symbol: str, per_share: Decimal, mark: str) -> None:
        """Whoever holds the shares now is paid at once; whoever is short pays."""
        with self._kernel.turn():
            group = self._kernel.new_id("group")
            self._kernel.record(Dividend(at=self._now(), symbol=symbol, per_share=per_share, mark=mark))
            for account, held in self._holders(symbol):
                self._post(
                    account,
                    "DIV",
                    f"{symbol} cash dividend",
                    sub_kind="CDIV",
                    symbol=symbol,
                    qty=held,
                    per_share=per_share,
                    net_amount=held * per_share,
                    group=group,
                )

    def _holders(self, symbol: str) -> list[tuple[str, Decimal]]:
        accounts = self._world.accounts.values()
        return [(a.id, a.position(symbol).qty) for a in accounts if a.position(symbol).qty]

    # Transfers.

    def transfer_cash(self, account: str, amount: Decimal) -> None:
        with self._kernel.turn():
            kind, text = ("CSD", "deposit") if amount > 0 else ("CSW", "withdrawal")
            self._post(account, kind, text, net_amount=amount)

    def transfer_shares(self, account: str, symbol: str, qty: Decimal, price: Decimal) -> None:
        with self._kernel.turn():
            now = self._now()
            self._kernel.record(Endowed(at=now, account=account, symbol=symbol, qty=qty, price=price))
            self._post(account, "JNLS", "transfer of shares", symbol=symbol, qty=qty, price=price)

    # Fees.

    def close_days(self) -> None:
        """Bill every day that is over, and come back when today is."""
        today = trading_day(self._now())
        with self._kernel.turn():
            for day in sorted({day for day, _, _ in charges(self._world) if day < today}):
                self._bill(day)
        self._today = today
        midnight = datetime.combine(today + timedelta(days=1), time(), NEW_YORK)
        self._kernel.agenda.at(midnight, lambda: self._midnight_after(today), routine=True)

    def _midnight_after(self, day: date) -> None:
        if day == self._today:  # unless the clock has been put to another day meanwhile
            self.close_days()

    def _bill(self, day: date) -> None:
        owed: dict[tuple[str, str], Decimal] = {}
        for of, account, fees in charges(self._world):
            for kind, amount in fees.items() if of == day else ():
                owed[account, kind] = owed.get((account, kind), ZERO) + amount
        for (account, kind), amount in sorted(owed.items()):
            text = f"{kind} fee of {day}"
            self._post(account, "FEE", text, sub_kind=kind, day=day, net_amount=-billed(amount))
        self._kernel.record(DayClosed(at=self._now(), day=day))

    def _now(self) -> datetime:
        return self._kernel.clock.now()

    def _post(
        self,
        account: str,
        kind: str,
        description: str,
        *,
        sub_kind: str | None = None,
        day: date | None = None,
        net_amount: Decimal = ZERO,
        symbol: str | None = None,
        qty: Decimal | None = None,
        price: Decimal | None = None,
        per_share: Decimal | None = None,
        group: str | None = None,
    ) -> None:
        activity_id, now = self._kernel.new_id("activity"), self._now()
        fact = Posted(
            at=now,
            account=account,
            id=activity_id,
            kind=kind,
            sub_kind=sub_kind,
            day=day or trading_day(now),
            net_amount=net_amount,
            symbol=symbol,
            qty=qty,
            price=price,
            per_share=per_share,
            group=group or activity_id,
            description=description,
        )
        self._kernel.record(fact)


def charges(world: World) -> Iterator[tuple[date, str, dict[str, Decimal]]]:
    """Day, account and exact fees of each standing execution that is not billed yet."""
    rules = world.rules
    if not rules.fees or rules.profile == "alpaca":
        return
    for e in world.executions.values():
        day = trading_day(e.at)
        if e.is_live and day > world.closed_day:
            yield day, e.account, fees_of(rules.fee_rates, day=day, side=e.side, qty=e.qty, price=e.price)


def accrued_fees(world: World, account: str) -> Decimal:
    """What is owed for the days that are not billed yet, exactly."""
    return sum((sum(fees.values(), ZERO) for _, of, fees in charges(world) if of == account), ZERO)


def fees_paid(world: World, account: str) -> Decimal:
    paid = (-p.net_amount for p in world.posted if p.account == account and p.kind == "FEE")
    return sum(paid, ZERO)
