"""A broker that says what a story tells it to say: copies of orders, executions, and a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.adapters.dry_run import NoBroker
from gateway.aggregates.reports import (
    AccountActivity,
    BrokerOrder,
    ExecutionReport,
    ReportKind,
    status_report,
)
from gateway.aggregates.vocabulary import (
    ClientOrderId,
    ExecId,
    OrderId,
    OrdStatus,
    ReportSource,
    Side,
    Symbol,
    TimeInForce,
)
from gateway.ports import (
    Absent,
    Accepted,
    CancelOutcome,
    CancelTaken,
    Duplicate,
    Found,
    Lookup,
    NotSent,
    SubmitOutcome,
    Unknown,
)
from tests.golden.held import ENDED, START, Held
from tests.golden.story import Step, Story

KINDS: Final = {
    "fill": (ReportKind.TRADE, "fill"),
    "bust": (ReportKind.BUST, "trade_bust"),
    "correct": (ReportKind.CORRECT, "trade_correct"),
    "cancel_rejected": (ReportKind.CANCEL_REJECTED, "order_cancel_rejected"),
    "replace_rejected": (ReportKind.REPLACE_REJECTED, "order_replace_rejected"),
}
Fact = ExecutionReport | tuple[AccountActivity, ...]


@dataclass(slots=True, kw_only=True)
class ScriptedBroker(NoBroker):
    """`tag` is in every id and is the symbol, so that many stories share a ledger."""

    story: Story
    tag: str
    orders: dict[str, Held] = field(default_factory=dict)
    hidden: bool = False
    deletes: list[OrderId] = field(default_factory=list)

    # What we ask.

    async def cancel(self, order_id: OrderId) -> CancelOutcome:
        self.deletes.append(order_id)
        return CancelTaken()

    async def order_by_client_id(self, client_order_id: ClientOrderId) -> Lookup:
        return self._found(lambda held: held.client_order_id == client_order_id)

    async def order_by_id(self, order_id: OrderId) -> Lookup:
        return self._found(lambda held: held.order_id == order_id)

    async def orders_since(self, after: datetime) -> tuple[BrokerOrder, ...]:
        return () if self.hidden else tuple(held.copy() for held in self.orders.values())

    @property
    def executions(self) -> list[str]:
        return [name for held in self.orders.values() for name in held.roots]

    def _found(self, asked_for: Callable[[Held], bool]) -> Lookup:
        found = next((held for held in self.orders.values() if asked_for(held)), None)
        return Absent() if found is None or self.hidden else Found(found.copy())

    def answer(self, step: Step) -> SubmitOutcome:
        """What became of a POST; a lost answer leaves the order there, out of sight."""
        reply = step.more.get("reply", "new")
        if reply == "not_sent":
            return NotSent("connection refused")
        if reply in ("unknown", "lost"):
            self.hidden = True
        if reply == "unknown":
            return Unknown("read timeout")
        changes = {"qty": "50"} if reply == "duplicate_of_another" else {}
        held = self.place(step.order, moment(step), **changes)
        if reply == "lost":
            return Unknown("read timeout")
        if reply.startswith("duplicate"):
            return Duplicate()
        held.status = reply
        if reply == "filled":
            held.trades["reply"] = (held.qty, Decimal(10))
        return Accepted(held.copy())

    # What it says.

    def client_order_id(self, order: str) -> ClientOrderId:
        return ClientOrderId(f"{self.tag}-{order}")

    def place(self, order: str, at: datetime = START, **changes: str) -> Held:
        terms = self.story.terms(order) | changes
        held = Held(
            order_id=self._id(order),
            client_order_id=self.client_order_id(order),
            symbol=Symbol(self.tag),
            side=Side(terms["side"]),
            qty=Decimal(terms["qty"]),
            limit_px=Decimal(terms["px"]),
            tif=TimeInForce(terms["tif"]),
            updated_at=at,
        )
        self.orders[order] = held
        return held

    def tell(self, step: Step) -> Fact:
        """The fact of a step, and the broker as it is after it."""
        if step.verb == "split":
            return self._split(step)
        if step.verb in ("appears", "refuses_replace"):
            self.hidden = False
            return ()
        held = self.orders.get(step.order) or self.place(step.order)
        held.updated_at = moment(step)
        match step.verb:
            case "fill" | "bust" | "correct":
                report = self._execution(held, step)
            case "total":
                report = self._total(held, step)
            case "lookup":
                report = status_report(self._as_of(held, step), ReportSource.LOOKUP)
            case _:
                report = self._word(held, step)
        held.copies[step.number] = held.copy()
        return report

    def _as_of(self, held: Held, step: Step) -> BrokerOrder:
        """The order as it is, or as it was after an earlier step."""
        return held.copies[int(step.more["as_of"])] if "as_of" in step.more else held.copy()

    def _execution(self, held: Held, step: Step) -> ExecutionReport:
        name, of = step.more["name"], step.more.get("of")
        held.book(step.verb, name, of, (step.number_of("qty"), step.number_of("px")))
        if step.verb == "fill":
            held.traded()
        held.status = step.more.get("status", held.status)
        kind, event = KINDS[step.verb]
        return self._report(
            kind,
            event,
            held,
            exec_id=ExecId(f"{self.tag}-{name}"),
            ref_exec_id=ExecId(f"{self.tag}-{of}") if of else None,
            last_qty=step.number_of("qty"),
            last_px=step.number_of("px"),
        )

    def _total(self, held: Held, step: Step) -> ExecutionReport:
        """A running total and no execution: those it consists of come later."""
        copy = replace(
            held.copy(),
            status=OrdStatus.PARTIALLY_FILLED,
            broker_status="partially_filled",
            filled_qty=step.number_of("qty"),
            filled_avg_px=step.number_of("px"),
        )
        return self._report(ReportKind.TRADE, "partial_fill", held, cum_qty=copy.filled_qty, order=copy)

    def _word(self, held: Held, step: Step) -> ExecutionReport:
        kind, event = KINDS.get(step.verb, (ReportKind.STATUS, step.verb))
        if kind is not ReportKind.STATUS:
            held.status = held.before_pending if held.status.startswith("pending_") else held.status
        elif step.verb == "restated":
            held.qty, held.limit_px = Decimal(step.more.get("qty", held.qty)), step.number_of("px", "90")
        elif step.verb == "new":
            held.moved("partially_filled" if held.filled else "new")
        elif held.status != "filled" or step.verb not in ENDED:
            held.moved(step.verb)
        held.status = step.more.get("status", held.status)
        for link in ("replaces", "replaced_by"):
            if link in step.more:
                setattr(held, link, self._id(step.more[link]))
        return self._report(kind, event, held, reason=step.more.get("reason"))

    def _id(self, order: str) -> OrderId:
        return OrderId(f"at-broker-{self.tag}-{order}")

    def _split(self, step: Step) -> tuple[AccountActivity, ...]:
        """The old shares out and the new ones in."""
        held, ratio = step.number_of("held"), step.number_of("name")
        return tuple(
            AccountActivity(
                activity_id=f"{self.tag}-{side}",
                kind="SPLIT",
                sub_kind="FSPLIT",
                at=moment(step),
                day=moment(step).date(),
                symbol=Symbol(self.tag),
                qty=qty,
                price=None,
                per_share=None,
                net_amount=Decimal(0),
                status="executed",
                group_id=self.tag,
                description=f"{ratio} for 1",
            )
            for side, qty in (("out", -held), ("in", held * ratio))
        )

    def _report(self, kind: ReportKind, event: str, held: Held, **terms: object) -> ExecutionReport:
        known: dict[str, object] = {
            "source": ReportSource.STREAM,
            "order_id": held.order_id,
            "client_order_id": held.client_order_id,
            "transact_time": held.updated_at,
            "cum_qty": held.filled,
            "symbol": held.symbol,
            "side": held.side,
            "order": held.copy(),
        }
        return ExecutionReport(kind=kind, event=event, **(known | terms))  # type: ignore[arg-type]


def moment(step: Step) -> datetime:
    """The broker's time of a step."""
    return START + timedelta(days=step.day - 1, minutes=step.at)
