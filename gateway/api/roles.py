"""Who may do what: roles and services as data, default deny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.aggregates.vocabulary import Actor, ActorKind, StrategyId


class Permission(StrEnum):
    VIEW_POSITIONS = "view_positions"
    VIEW_PNL = "view_pnl"
    VIEW_TRADES = "view_trades"
    VIEW_LEDGER = "view_ledger"
    VIEW_CIRCUIT_BREAKER = "view_circuit_breaker"
    VIEW_ALL_STRATEGIES = "view_all_strategies"
    SUBMIT_ORDER = "submit_order"
    CANCEL_ORDER = "cancel_order"
    CLOSE_POSITION = "close_position"
    ADJUST_POSITION = "adjust_position"
    FLATTEN_ALL = "flatten_all"
    MANAGE_STRATEGIES = "manage_strategies"
    OPERATE_KILL_SWITCH = "operate_kill_switch"
    TRIP_CIRCUIT = "trip_circuit"
    RESET_CIRCUIT = "reset_circuit"
    MANAGE_RECONCILIATION = "manage_reconciliation"


P: Final = Permission
_VIEWER: Final = frozenset(
    {P.VIEW_POSITIONS, P.VIEW_PNL, P.VIEW_TRADES, P.VIEW_LEDGER, P.VIEW_CIRCUIT_BREAKER}
)
_OPERATOR: Final = _VIEWER | {
    P.SUBMIT_ORDER,
    P.CANCEL_ORDER,
    P.CLOSE_POSITION,
    P.ADJUST_POSITION,
    P.FLATTEN_ALL,
    P.MANAGE_STRATEGIES,
    P.OPERATE_KILL_SWITCH,
    P.TRIP_CIRCUIT,
    P.RESET_CIRCUIT,
}
_TRADER: Final = frozenset({P.VIEW_POSITIONS, P.VIEW_CIRCUIT_BREAKER, P.SUBMIT_ORDER, P.CANCEL_ORDER})
NOTHING: Final[frozenset[Permission]] = frozenset()

ROLES: Final[Mapping[str, frozenset[Permission]]] = {
    "viewer": _VIEWER,
    "researcher": NOTHING,
    "operator": _OPERATOR,
    "admin": _OPERATOR | {P.MANAGE_RECONCILIATION, P.VIEW_ALL_STRATEGIES},
    "auditor": _VIEWER | {P.VIEW_ALL_STRATEGIES},
}
SERVICES: Final[Mapping[str, frozenset[Permission]]] = {
    "orchestrator": _TRADER,
    "signal_service": NOTHING,
    "execution_gateway": _TRADER,
}
PSEUDO_STRATEGIES: Final[Mapping[StrategyId, Permission]] = {
    StrategyId("manual_controls_close_position"): P.CLOSE_POSITION,
    StrategyId("manual_controls_adjust_position"): P.ADJUST_POSITION,
    StrategyId("manual_controls_flatten_all"): P.FLATTEN_ALL,
    StrategyId("manual_controls_trade"): P.SUBMIT_ORDER,
}
"""Strategies that own what an operator does by hand; in scope of whoever may do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The authenticated caller. `strategies` None means every strategy."""

    sub: str
    kind: ActorKind
    permissions: frozenset[Permission]
    strategies: frozenset[StrategyId] | None
    auth_method: str
    on_behalf_of: str | None = None
    strategy_id: StrategyId | None = None
    """The strategy a service signed for; the default of its orders."""
    address: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def scope(self) -> frozenset[StrategyId] | None:
        """Every strategy id this caller may see and act on; None for all."""
        if self.strategies is None or self.may(Permission.VIEW_ALL_STRATEGIES):
            return None
        return self.strategies | {
            pseudo for pseudo, permission in PSEUDO_STRATEGIES.items() if self.may(permission)
        }

    def sees(self, strategy_id: str) -> bool:
        if self.strategies is None or self.may(Permission.VIEW_ALL_STRATEGIES):
            return True
        held = PSEUDO_STRATEGIES.get(StrategyId(strategy_id))
        return strategy_id in self.strategies or (held is not None and self.may(held))

    def actor(self, operator: str | None = None) -> Actor:
        """How the ledger will remember this caller; `operator` is whom the body names."""
        named = operator if operator and operator != self.sub else None
        return Actor(
            sub=self.sub,
            kind=self.kind,
            on_behalf_of=named or self.on_behalf_of,
            auth_method=self.auth_method,
            address=self.address,
        )
