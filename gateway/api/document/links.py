"""What can be asked next, given an answer: the way from one operation to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`parameters` and `body` are runtime expressions over the answer."""

    to: str
    words: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | None = None

    def shown(self) -> dict[str, Any]:
        link: dict[str, Any] = {"operationId": self.to, "description": self.words}
        if self.parameters:
            link["parameters"] = dict(self.parameters)
        if self.body is not None:
            link["requestBody"] = dict(self.body)
        return link


def _with(to: str, words: str, name: str, place: str) -> Link:
    return Link(to=to, words=words, parameters={name: f"$response.body#/{place}"})


def _of_order(place: str) -> tuple[Link, ...]:
    return (
        _with("order_detail", "The order as it is now.", "client_order_id", place),
        _with("order_timeline", "Everything that happened to it.", "client_order_id", place),
        _with("cancel_order", "Ask the broker to cancel it.", "client_order_id", place),
    )


_ORDER: Final = _of_order("client_order_id")
_PLAN: Final = (
    _with("list_slices", "The plan's slices.", "parent_id", "parent_order_id"),
    _with("cancel_slices", "Close what was not released.", "parent_id", "parent_order_id"),
    *_of_order("parent_order_id"),
)
_ORPHAN: Final = tuple(
    _with(to, words, "broker_order_id", "orphans/0/broker_order_id")
    for to, words in (
        ("adopt_orphan", "Give it to a strategy."),
        ("ignore_orphan", "Resolve it without an owner."),
        ("cancel_orphan", "Ask the broker to cancel it."),
    )
)
_POSITION: Final = tuple(
    _with(to, words, "symbol", "positions/0/symbol")
    for to, words in (
        ("close_position", "Close it."),
        ("adjust_position", "Bring it to a target."),
    )
)
_SWITCH: Final = {"scope": "$response.body#/scope", "target": "$response.body#/target"}

LINKS: Final[Mapping[str, tuple[Link, ...]]] = {
    "submit_order": _ORDER,
    "submit_manual_order": _ORDER,
    "cancel_order": (_ORDER[0], _ORDER[1]),
    "slice_order": _PLAN,
    "cancel_slices": (_PLAN[0],),
    "list_pending_orders": _of_order("orders/0/client_order_id"),
    "list_recent_fills": _of_order("events/0/client_order_id")[:2],
    "list_positions": _POSITION,
    "close_position": _of_order("order_id"),
    "adjust_position": _of_order("order_id"),
    "list_strategies": (
        _with("strategy_status", "One strategy.", "strategy_id", "strategies/0/strategy_id"),
    ),
    "engage_kill_switch": (
        Link(
            to="disengage_kill_switch",
            words="Let new orders of the scope through again.",
            body=_SWITCH | {"operator": "$response.body#/engaged_by"},
        ),
        Link(to="kill_switch_status", words="Where the scope stands.", parameters=_SWITCH),
    ),
    "trip_circuit_breaker": (
        Link(
            to="reset_circuit_breaker", words="Trade again.", body={"reason": "$response.body#/trip_reason"}
        ),
    ),
    "list_quarantines": (
        _with("release_quarantine", "Let it be traded again.", "symbol", "quarantined/0/symbol"),
    ),
    "list_orphans": _ORPHAN,
    "list_breaks": (_with("resolve_break", "Decide about it.", "break_id", "breaks/0/break_id"),),
    "list_events": (_with("list_events", "The next page.", "after", "next_after"),),
    "list_projections": (_with("rebuild_projection", "Fold it anew.", "name", "projections/0/name"),),
}
