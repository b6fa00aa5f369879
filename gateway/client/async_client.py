"""The gateway as a Python object whose methods are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Self, TypeVar

import httpx2

from gateway.client.answers.ledger import Event
from gateway.client.asking import Outcome, Pause, Seen, Step, asking, no_answer
from gateway.client.call import Call
from gateway.client.calls import about, by_hand, differences, ledger, orders, positions, safety
from gateway.client.event_stream import Reading
from gateway.client.operation import Awaited
from gateway.client.patience import Patience
from gateway.client.problems import ClientError, problem_of
from gateway.client.proofs import BearerToken

T = TypeVar("T")


class AsyncClient:
    """As `Client`, for callers with an event loop of their own."""

    def __init__(
        self,
        url: str,
        proof: str | httpx2.Auth | None = None,
        *,
        patience: Patience | None = None,
        timeout_seconds: float = 15.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        auth = BearerToken(proof) if isinstance(proof, str) else proof
        timeout = httpx2.Timeout(timeout_seconds, connect=2.0)
        self.patience = patience or Patience()
        self._http = httpx2.AsyncClient(base_url=url, auth=auth, timeout=timeout, transport=transport)
        self._seen = Seen()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def position(self) -> int:
        """The newest one this client was told of; whatever it reads is at least as new."""
        return self._seen.position

    def see(self, position: int) -> None:
        """Take over a position somebody else was told of: what is read from now on is at least as new."""
        self._seen.see(position)

    async def ask(self, call: Call[T]) -> T:
        """Ask anything that `gateway.client.calls` can put into words. Raises ClientError."""
        steps, outcome = asking(call, self.patience), None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: T = end.value
                return answer
            outcome = await self._take(step)

    async def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            response = await self._http.request(**self._seen.request(step))
        except httpx2.TransportError as error:
            return no_answer(step, error)
        if step.method != "GET":
            self._seen.notice(response)
        return response

    async def stream_events(
        self,
        *,
        after: int | None = None,
        stream: str | None = None,
        topic: str | None = None,
        symbol: str | None = None,
        strategy_id: str | None = None,
    ) -> AsyncGenerator[Event]:
        """Every event beyond a position, or from now on, as it happens: once, in order, without a gap.

        Goes on behind the last event when the connection breaks or the gateway restarts. Raises ClientError
        when the gateway refuses, or is away for longer than `patience.reconnect_seconds`.
        """
        start = (await self.list_events(limit=1)).head if after is None else after
        wanted = {"stream": stream, "topic": topic, "symbol": symbol, "strategy_id": strategy_id}
        reading = Reading(after=start, wanted=wanted, patience=self.patience)
        while True:
            error: ClientError | None = None
            try:
                async with aclosing(self._connection(reading)) as events:
                    async for event in events:
                        yield event
            except ClientError as refused:
                error = refused
            pause = reading.pause(error)
            if pause is None:
                raise error or reading.gave_up()
            await asyncio.sleep(pause)

    async def _connection(self, reading: Reading) -> AsyncGenerator[Event]:
        """What one connection brings; a broken one just ends."""
        with suppress(httpx2.TransportError):
            async with self._http.stream(**reading.request()) as response:
                if response.is_error:
                    await response.aread()
                    raise problem_of(response)
                async for line in response.aiter_lines():
                    if event := reading.event(line):
                        self.see(event.position)
                        yield event

    introduce = Awaited(about.introduce)
    health = Awaited(about.health)
    live = Awaited(about.live)
    ready = Awaited(about.ready)
    metrics = Awaited(about.metrics)
    config = Awaited(about.config)
    fat_finger_thresholds = Awaited(about.fat_finger_thresholds)
    set_fat_finger_thresholds = Awaited(about.set_fat_finger_thresholds)
    list_strategies = Awaited(about.list_strategies)
    strategy_status = Awaited(about.strategy_status)

    submit_order = Awaited(orders.submit_order)
    order_detail = Awaited(orders.order_detail)
    cancel_order = Awaited(orders.cancel_order)
    list_pending_orders = Awaited(orders.list_pending_orders)
    list_recent_fills = Awaited(orders.list_recent_fills)
    slice_order = Awaited(orders.slice_order)
    list_slices = Awaited(orders.list_slices)
    cancel_slices = Awaited(orders.cancel_slices)
    receive_order_update = Awaited(orders.receive_order_update)

    submit_manual_order = Awaited(by_hand.submit_manual_order)
    cancel_all_orders = Awaited(by_hand.cancel_all_orders)
    close_position = Awaited(by_hand.close_position)
    adjust_position = Awaited(by_hand.adjust_position)
    flatten_all = Awaited(by_hand.flatten_all)

    list_positions = Awaited(positions.list_positions)
    realtime_pnl = Awaited(positions.realtime_pnl)
    performance_by_day = Awaited(positions.performance_by_day)

    engage_kill_switch = Awaited(safety.engage_kill_switch)
    disengage_kill_switch = Awaited(safety.disengage_kill_switch)
    kill_switch_status = Awaited(safety.kill_switch_status)
    circuit_breaker_status = Awaited(safety.circuit_breaker_status)
    trip_circuit_breaker = Awaited(safety.trip_circuit_breaker)
    reset_circuit_breaker = Awaited(safety.reset_circuit_breaker)
    list_quarantines = Awaited(safety.list_quarantines)
    release_quarantine = Awaited(safety.release_quarantine)

    reconciliation_status = Awaited(differences.reconciliation_status)
    run_reconciliation = Awaited(differences.run_reconciliation)
    force_complete = Awaited(differences.force_complete)
    backfill_fills = Awaited(differences.backfill_fills)
    list_orphans = Awaited(differences.list_orphans)
    adopt_orphan = Awaited(differences.adopt_orphan)
    ignore_orphan = Awaited(differences.ignore_orphan)
    cancel_orphan = Awaited(differences.cancel_orphan)
    list_breaks = Awaited(differences.list_breaks)
    resolve_break = Awaited(differences.resolve_break)

    list_events = Awaited(ledger.list_events)
    order_timeline = Awaited(ledger.order_timeline)
    verify_ledger = Awaited(ledger.verify_ledger)
    list_projections = Awaited(ledger.list_projections)
    rebuild_projection = Awaited(ledger.rebuild_projection)
