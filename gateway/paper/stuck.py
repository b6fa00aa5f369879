"""Orders that a fault holds in a status, and what lets them go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.paper.kernel import Kernel
from gateway.paper.orders import Order
from gateway.paper.updates import about


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    fault_id: str
    order_id: str
    status: str
    go_on: Callable[[], None]


class Stuck:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held: list[Held] = []

    def holds(self, order: Order, status: str, go_on: Callable[[], None]) -> bool:
        """Whether the order stays in that status for now; `go_on` is called when it may leave it."""
        fault = self._kernel.faults.strike("order.stuck", status=status, **about(order))
        if fault is None:
            return False
        held = Held(fault_id=fault.id, order_id=order.id, status=status, go_on=go_on)
        self._held.append(held)
        if fault.params.until == "next_open":
            opens = self._kernel.session.next_open(self._kernel.clock.now())
            self._kernel.agenda.at(opens, lambda: self._let_go(held), routine=True)
        return True

    def release(self) -> None:
        """Let go of whatever a fault held that is not armed any more."""
        armed = {fault.id for fault in self._kernel.faults.all()}
        with self._kernel.turn():
            for held in [held for held in self._held if held.fault_id not in armed]:
                self._let_go(held)

    def _let_go(self, held: Held) -> None:
        if held in self._held:
            self._held.remove(held)
            if (
                self._kernel.world.orders[held.order_id].status == held.status
            ):  # nothing has moved it meanwhile
                held.go_on()
