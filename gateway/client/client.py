"""The gateway as a Python object."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Self, TypeVar

import httpx2

from gateway.client.answers.ledger import Event
from gateway.client.asking import Outcome, Pause, Seen, Step, asking, no_answer
from gateway.client.call import Call
from gateway.client.calls import about, by_hand, differences, ledger, orders, positions, safety
from gateway.client.event_stream import Reading
from gateway.client.operation import Asked
from gateway.client.patience import Patience
from gateway.client.problems import ClientError, problem_of
from gateway.client.proofs import BearerToken

T = TypeVar("T")


class Client:
    """Talks with one gateway as one principal; may be shared by threads.

    `proof` is a bearer token or a `proofs.ServiceSignature`. Every operation of the API is a method under its
    own name. What is refused is raised as a Problem, what stays without an answer as NoAnswer.
    """

    def __init__(
        self,
        url: str,
        proof: str | httpx2.Auth | None = None,
        *,
        patience: Patience | None = None,
        timeout_seconds: float = 15.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        auth = BearerToken(proof) if isinstance(proof, str) else proof
        timeout = httpx2.Timeout(timeout_seconds, connect=2.0)
        self.patience = patience or Patience()
        self._http = httpx2.Client(base_url=url, auth=auth, timeout=timeout, transport=transport)
        self._seen = Seen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    @property
    def position(self) -> int:
        """The newest one this client was told of; whatever it reads is at least as new."""
        return self._seen.position

    def see(self, position: int) -> None:
        """Take over a position somebody else was told of: what is read from now on is at least as new."""
        self._seen.see(position)

    def ask(self, call: Call[T]) -> T:
        """Ask anything that `gateway.client.calls` can put into words. Raises ClientError."""
        steps, outcome = asking(call, self.patience), None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: T = end.value
                return answer
            outcome = self._take(step)

    def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            response = self._http.request(**self._seen.request(step))
        except httpx2.TransportError as error:
            return no_answer(step, error)
        if step.method != "GET":
            self._seen.notice(response)
        return response

    def stream_events(
        self,
        *,
        after: int | None = None,
        stream: str | None = None,
        topic: str | None = None,
        symbol: str | None = None,
        strategy_id: str | None = None,
    ) -> Iterator[Event]:
        """Every event beyond a position, or from now on, as it happens: once, in order, without a gap.

        Goes on behind the last event when the connection breaks or the gateway restarts. Raises ClientError
        when the gateway refuses, or is away for longer than `patience.reconnect_seconds`.
        """
        start = (self.list_events(limit=1)).head if after is None else after
        wanted = {"stream": stream, "topic": topic, "symbol": symbol, "strategy_id": strategy_id}
        reading = Reading(after=start, wanted=wanted, patience=self.patience)
        while True:
            error: ClientError | None = None
            try:
                yield from self._connection(reading)
            except ClientError as refused:
                error = refused
            pause = reading.pause(error)
            if pause is None:
                raise error or reading.gave_up()
            time.sleep(pause)

    def _connection(self, reading: Reading) -> Iterator[Event]:
        """What one connection brings; a broken one just ends."""
        with suppress(httpx2.TransportError), self._http.stream(**reading.request()) as response:
            if response.is_error:
                response.read()
                raise problem_of(response)
            for line in response.iter_lines():
                if event := reading.event(line):
                    self.see(event.position)
                    yield event

    introduce = Asked(about.introduce)
    health = Asked(about.health)
    live = Asked(about.live)
    ready = Asked(about.ready)
    metrics = Asked(about.metrics)
    config = Asked(about.config)
    fat_finger_thresholds = Asked(about.fat_finger_thresholds)
    set_fat_finger_thresholds = Asked(about.set_fat_finger_thresholds)
    list_strategies = Asked(about.list_strategies)
    strategy_status = Asked(about.strategy_status)

    submit_order = Asked(orders.submit_order)
    order_detail = Asked(orders.order_detail)
    cancel_order = Asked(orders.cancel_order)
    list_pending_orders = Asked(orders.list_pending_orders)
    list_recent_fills = Asked(orders.list_recent_fills)
    slice_order = Asked(orders.slice_order)
    list_slices = Asked(orders.list_slices)
    cancel_slices = Asked(orders.cancel_slices)
    receive_order_update = Asked(orders.receive_order_update)

    submit_manual_order = Asked(by_hand.submit_manual_order)
    cancel_all_orders = Asked(by_hand.cancel_all_orders)
    close_position = Asked(by_hand.close_position)
    adjust_position = Asked(by_hand.adjust_position)
    flatten_all = Asked(by_hand.flatten_all)

    list_positions = Asked(positions.list_positions)
    realtime_pnl = Asked(positions.realtime_pnl)
    performance_by_day = Asked(positions.performance_by_day)

    engage_kill_switch = Asked(safety.engage_kill_switch)
    disengage_kill_switch = Asked(safety.disengage_kill_switch)
    kill_switch_status = Asked(safety.kill_switch_status)
    circuit_breaker_status = Asked(safety.circuit_breaker_status)
    trip_circuit_breaker = Asked(safety.trip_circuit_breaker)
    reset_circuit_breaker = Asked(safety.reset_circuit_breaker)
    list_quarantines = Asked(safety.list_quarantines)
    release_quarantine = Asked(safety.release_quarantine)

    reconciliation_status = Asked(differences.reconciliation_status)
    run_reconciliation = Asked(differences.run_reconciliation)
    force_complete = Asked(differences.force_complete)
    backfill_fills = Asked(differences.backfill_fills)
    list_orphans = Asked(differences.list_orphans)
    adopt_orphan = Asked(differences.adopt_orphan)
    ignore_orphan = Asked(differences.ignore_orphan)
    cancel_orphan = Asked(differences.cancel_orphan)
    list_breaks = Asked(differences.list_breaks)
    resolve_break = Asked(differences.resolve_break)

    list_events = Asked(ledger.list_events)
    order_timeline = Asked(ledger.order_timeline)
    verify_ledger = Asked(ledger.verify_ledger)
    list_projections = Asked(ledger.list_projections)
    rebuild_projection = Asked(ledger.rebuild_projection)
