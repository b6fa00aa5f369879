"""The way out of a holding: look at it live, and send what only shrinks it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.aggregates.position.state import Position
from gateway.aggregates.refusals import LedgerUnavailable, PositionNotFound, Refusal
from gateway.aggregates.vocabulary import (
    EXTERNAL,
    OrdType,
    Side,
    StrategyId,
    Symbol,
    Ticket,
    TimeInForce,
    position_stream,
)
from gateway.commands.audit import Audit
from gateway.commands.by_hand import Extent, ManualAction, ManualOutcome, ManualRequest
from gateway.commands.gates import MANUAL, REDUCE, Gate
from gateway.commands.gates.closing import hold
from gateway.commands.gates.ticket import breaches_of
from gateway.commands.gates.walk import Surroundings
from gateway.commands.reduce_only import LiveHolding
from gateway.commands.stakes import live_orders, owner, require_stakes
from gateway.commands.submit_order import Submission, SubmitOrder

_LOCK: Final = "reduce_only_lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The holding at the broker beside our own account of it."""

    holding: LiveHolding
    position: Position | None

    @property
    def held(self) -> Decimal:
        return self.holding.qty

    @property
    def closable(self) -> Decimal:
        return self.holding.closable(self.position)


@dataclass(slots=True, kw_only=True)
class WayOut:
    around: Surroundings
    submit_order: SubmitOrder
    audit: Audit

    async def admit(self, extent: Extent, symbols: Sequence[Symbol], request: ManualRequest) -> None:
        """The gate `strategy_scope` of what concerns whole symbols. Raises StrategyUnauthorized."""
        await self.around.ledger.catch_up()
        try:
            require_stakes(self.around.ledger.desk, extent, symbols, request)
        except Refusal as refusal:
            self.record(request, "strategy_scope", "block", refusal.detail)
            raise
        self.record(request, "strategy_scope", "pass")

    async def look(self, symbol: Symbol, request: ManualRequest) -> View:
        """Raises ReconciliationBrokerUnavailable."""
        try:
            holding = await hold(self.around, symbol)
        except Refusal as refusal:
            _renamed(refusal)
            self.record(request, _LOCK, "block", refusal.detail)
            raise
        return View(holding=holding, position=await self.position(symbol))

    async def position(self, symbol: Symbol) -> Position | None:
        position, _ = await self.around.ledger.load(position_stream(symbol))
        return position

    async def reduce(self, ticket: Ticket, request: ManualRequest, holding: LiveHolding) -> Submission:
        """Send what the gates of the way out let pass. Raises a Refusal."""
        try:
            submission = await self._send(ticket, request, REDUCE, holding)
        except Refusal as refusal:
            _renamed(refusal)
            raise
        with suppress(LedgerUnavailable):  # unreadable thresholds change nothing about what was sent
            for breach in await breaches_of(self.around, ticket):
                self.around.metrics.fat_finger_warnings.labels(threshold_type=breach.kind).inc()
        return submission

    async def trade(self, ticket: Ticket, request: ManualRequest) -> Submission:
        """No way out but new risk: send what every gate of trading lets pass. Raises a Refusal."""
        return await self._send(ticket, request, MANUAL)

    async def _send(
        self,
        ticket: Ticket,
        request: ManualRequest,
        gates: Sequence[Gate],
        holding: LiveHolding | None = None,
    ) -> Submission:
        return await self.submit_order(
            ticket,
            request.order_id(ticket),
            by=request.by,
            correlation_id=request.correlation_id,
            log=request.log,
            reason=request.reason,
            gates=gates,
            holding=holding,
        )

    def repeated(self, symbol: Symbol, view: View, request: ManualRequest) -> ManualOutcome | None:
        """The live order this very request led to when it arrived before."""
        ledger = self.around.ledger
        for order in live_orders(ledger.desk, Extent(symbol=symbol)):
            if request.made(order):
                answer = "unconfirmed" if order.is_unconfirmed else "existing"
                return ManualOutcome(
                    symbol=symbol, held=view.held, order=order, position=ledger.desk.position, answer=answer
                )
        return None

    async def nothing_to_do(self, symbol: Symbol, held: Decimal, request: ManualRequest) -> ManualOutcome:
        """On record all the same."""
        position = await self.audit.control_performed(
            request.action, "no_op", request.reason, request.by, request.correlation_id, {"symbol": symbol}
        )
        return ManualOutcome(symbol=symbol, held=held, order=None, position=position, answer="no_op")

    def record(self, request: ManualRequest, gate: str, outcome: str, detail: str | None = None) -> None:
        """One gate, one outcome; a cancel has no gates to record."""
        if request.action is ManualAction.CANCEL:
            return
        request.log.record(gate, outcome, detail, at=self.around.clock.now())
        self.around.metrics.gate_verdicts.labels(gate=gate, verdict=outcome).inc()


def _renamed(refusal: Refusal) -> None:
    """There is no reconciliation gate on the way out: what it would refuse, the look at the holding does."""
    if refusal.gate == "recon_gate":
        refusal.gate = _LOCK


def require_known(symbol: Symbol, view: View, request: ManualRequest) -> None:
    """Raises PositionNotFound for what nobody in scope ever held.

    Shares at the broker that no strategy ever bought are for those who see every strategy.
    """
    books = view.position.strategies if view.position is not None else ()
    unclaimed = view.held and request.covers(EXTERNAL)
    if not unclaimed and not any(map(request.covers, books)):
        raise PositionNotFound(f"{symbol} was never held in the caller's scope", symbol=symbol)


def ticket_for(
    symbol: Symbol,
    signed_qty: Decimal,
    view: View,
    request: ManualRequest,
    *,
    strategy_id: StrategyId | None = None,
    limit_px: Decimal | None = None,
) -> Ticket:
    """An order of the day for signed shares: market, unless a limit is given."""
    return Ticket(
        symbol=symbol,
        side=Side.BUY if signed_qty > 0 else Side.SELL,
        qty=abs(signed_qty),
        ord_type=OrdType.MARKET if limit_px is None else OrdType.LIMIT,
        time_in_force=TimeInForce.DAY,
        strategy_id=strategy_id or owner(view.position, request.action),
        limit_px=limit_px,
    )


def outcome_of(submission: Submission, view: View) -> ManualOutcome:
    return ManualOutcome(
        symbol=submission.order.ticket.symbol,
        held=view.held,
        order=submission.order,
        position=submission.position,
        answer=submission.answer,
    )
