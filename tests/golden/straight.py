"""Feeds a story straight into the commands over a real ledger, with a broker that is only told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

from gateway.aggregates.order.state import submit
from gateway.aggregates.position.state import reserve
from gateway.aggregates.refusals import Refusal
from gateway.aggregates.reports import ExecutionReport
from gateway.aggregates.vocabulary import (
    SYSTEM,
    OrdType,
    StrategyId,
    Symbol,
    Ticket,
    order_stream,
    position_stream,
)
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.outcome import RecordOutcome
from gateway.commands.record_activity import RecordActivity
from gateway.commands.record_report import RecordReport
from gateway.commands.resolve_orphan import ResolveOrphan
from gateway.commands.resolve_unknown import ResolveUnknown
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.ledger import Ledger
from gateway.telemetry import Metrics
from tests.golden.books import ENDS, Books
from tests.golden.broker import Fact, ScriptedBroker, moment
from tests.golden.held import START
from tests.golden.story import Step, Story

GRACE: Final = timedelta(seconds=300)
NO_LIMIT: Final = Decimal(10**9)
ASKED: Final = "golden"


@dataclass(slots=True)
class Told:
    """A clock that is where the story is."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass(slots=True)
class Straight:
    """The commands as the composition root hangs them, without the gates before them."""

    ledger: Ledger
    story: Story
    tag: str
    clock: Told = field(default_factory=Told)
    broker: ScriptedBroker = field(init=False)
    books: Books = field(init=False)
    record_report: RecordReport = field(init=False)
    cancel_order: CancelOrder = field(init=False)
    outcome: RecordOutcome = field(init=False)
    resolver: ResolveUnknown = field(init=False)
    posts: int = 0
    marks: list[int] = field(default_factory=list)
    """Where the ledger stood after each step."""
    patience: ClassVar[float] = 0

    def __post_init__(self) -> None:
        self.broker = ScriptedBroker(story=self.story, tag=self.tag)
        self.books = Books(ledger=self.ledger, symbol=Symbol(self.tag), first_day=START.date())
        around: dict[str, Any] = {"ledger": self.ledger, "broker": self.broker, "clock": self.clock}
        metrics = Metrics()
        self.record_report = RecordReport(
            **around, metrics=metrics, notice_gap=lambda order, held: None, pod=ASKED
        )
        self.cancel_order = CancelOrder(**around, record_report=self.record_report)
        self.outcome = RecordOutcome(
            **around, cancel_order=self.cancel_order, notice_gap=lambda order, held: None
        )
        self.resolver = ResolveUnknown(
            **around,
            metrics=metrics,
            outcome=self.outcome,
            in_flight=set,
            grace=GRACE,
            broker_deadline=timedelta(seconds=5),
        )

    async def take(self, step: Step) -> str | None:
        """Do what a step says. Returns the code of a refusal."""
        self.clock.at = max(self.clock.at, moment(step))
        answer = None
        try:
            if step.ours:
                answer = await self.do(step)
            else:
                await self.hear(self.broker.tell(step))
        except Refusal as refusal:
            answer = refusal.code
        self.marks.append(await self.ledger.log.head())
        return answer

    async def shows(self) -> dict[str, Any]:
        return await self.books.shows()

    async def end(self, name: str) -> Any:
        match name:
            case "posts":
                return self.posts
            case "deletes":
                return len(self.broker.deletes)
            case "realized_before":
                return await self.books.realized_at(self.marks[-2])
            case _:
                return await ENDS[name](self.books)

    async def hear(self, fact: Fact) -> None:
        if not isinstance(fact, ExecutionReport):
            if fact:
                await RecordActivity(ledger=self.ledger)(fact, correlation_id=ASKED)
            return
        for name, held in self.broker.orders.items():
            self.books.names[name] = held.client_order_id
        self.books.executions |= {f"{self.tag}-{name}": name for name in self.broker.executions}
        await self.record_report(fact, correlation_id=ASKED)

    async def do(self, step: Step) -> str | None:
        verbs: dict[str, Callable[[Step], Awaitable[str | None]]] = {
            "submit": self._submit,
            "cancel": self._cancel,
            "adopt": self._adopt,
            "look_up": self._look_up,
            "prove_absent": self._prove_absent,
        }
        return await verbs[step.verb](step)

    async def _submit(self, step: Step) -> str | None:
        """The intent with its room, then what became of the POST."""
        client_order_id = self.broker.client_order_id(step.order)
        self.books.names[step.order] = client_order_id
        if not await self._intend(step):
            return None
        self.posts += 1
        order, _ = await self.ledger.load(order_stream(client_order_id))
        settled = await self.outcome.settle(order, self.broker.answer(step), ASKED)
        return settled.refused

    async def _intend(self, step: Step) -> bool:
        """Whether there is something to send: not for an order that is known and was sent."""
        held = ScriptedBroker(story=self.story, tag=self.tag).place(step.order)
        order, position = order_stream(held.client_order_id), position_stream(held.symbol)
        at = moment(step)
        ticket = Ticket(
            symbol=held.symbol,
            side=held.side,
            qty=held.qty,
            ord_type=OrdType.LIMIT,
            time_in_force=held.tif,
            strategy_id=StrategyId("alpha"),
            limit_px=held.limit_px,
        )

        def decide(states: States) -> Decision:
            known = states[order]
            if known is not None and not known.status.is_closed_unsent:
                return Decision()
            intent = (
                known.resubmit(at=at)
                if known is not None
                else submit(client_order_id=held.client_order_id, ticket=ticket, at=at)
            )
            room = reserve(
                states[position],
                symbol=held.symbol,
                client_order_id=held.client_order_id,
                side=held.side,
                qty=held.qty,
                limit=NO_LIMIT,
            )
            return Decision(
                events=[
                    *(Uncommitted(stream=order, event=event) for event in intent),
                    *(Uncommitted(stream=position, event=event) for event in room),
                ]
            )

        cause = Cause(
            command_id=f"intent:{held.client_order_id}:{step.number}",
            actor=SYSTEM,
            correlation_id=ASKED,
            source="api",
            occurred_at=datetime.now(UTC),
        )
        return bool((await self.ledger.writer.change((order, position), decide, cause)).events)

    async def _cancel(self, step: Step) -> None:
        client_order_id = self.broker.client_order_id(step.order)
        await self.cancel_order(client_order_id, by=SYSTEM, correlation_id=ASKED)

    async def _adopt(self, step: Step) -> None:
        resolve = ResolveOrphan(ledger=self.ledger, clock=self.clock, cancel_order=self.cancel_order)
        await resolve.adopt(
            self.broker.orders[step.order].order_id,
            StrategyId("alpha"),
            reason="it was ours after all",
            by=SYSTEM,
            correlation_id=ASKED,
        )

    async def _look_up(self, step: Step) -> None:
        await self.resolver.run_once()

    async def _prove_absent(self, step: Step) -> None:
        """Three answers, spread over the time that proves absence."""
        for _ in range(3):
            await self.resolver.run_once()
            self.clock.at += GRACE
