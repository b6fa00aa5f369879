"""How often a principal may do what: the rules as data, and the one place that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from gateway.aggregates.vocabulary import ActorKind
from gateway.api.refusals import RateLimited
from gateway.api.roles import Principal
from gateway.ports import Clock, RateLimits, RateRule
from gateway.telemetry import GateLog, Metrics, log

TRADING: Final = frozenset({"order_submit", "order_slice", "order_cancel"})
_WORDS: Final = {
    "per_user_limit_exceeded": "too many requests of this caller",
    "burst_limit_exceeded": "too many requests of this caller within a second",
    "global_limit_exceeded": "too many requests of all callers together",
}


def rate_rules(
    *, submits: int, slices: int, cancels: int, backfills: int, backfill_seconds: int
) -> dict[str, RateRule]:
    """Every limit of the service by action; the arguments come from configuration."""
    control, audit = RateRule(limit=10, window=60), RateRule(limit=120, window=60)
    trades = RateRule(limit=60, window=60)
    return {
        "order_submit": RateRule(limit=submits, window=60, burst=10, overall=2 * submits),
        "order_slice": RateRule(limit=slices, window=60, burst=5, overall=2 * slices),
        "order_cancel": RateRule(limit=cancels, window=60, burst=20, overall=2 * cancels),
        "fills_backfill": RateRule(limit=backfills, window=backfill_seconds, burst=1, overall=backfills),
        "thresholds_update": control,
        "reconciliation_run": control,
        "reconciliation_force_complete": control,
        "quarantine_release": control,
        "orphan_resolve": control,
        "break_resolve": control,
        "projection_rebuild": control,
        "manual_order": control,
        "position_close": control,
        "position_adjust": control,
        "cancel_all": RateRule(limit=5, window=60),
        "flatten_all": RateRule(limit=1, window=300),
        "orders_pending": trades,
        "recent_fills": trades,
        "events_read": audit,
        "order_events_read": audit,
        "events_stream": control,
        "ledger_verify": RateRule(limit=6, window=60),
        "as_of_read": RateRule(limit=30, window=60),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Counts per principal and action. `enforced` False only counts and logs."""

    rules: Mapping[str, RateRule]
    limits: RateLimits
    metrics: Metrics
    clock: Clock
    enforced: bool = True
    service_factor: int = 1

    async def __call__(self, request: Request, action: str, principal: Principal) -> None:
        """Raises RateLimited; leaves the limit's headers on the request."""
        rule = self._rule(action, principal)
        verdict = await self.limits.check(action, f"{principal.kind}:{principal.sub}", rule)
        request.state.headers |= {
            "X-RateLimit-Limit": str(rule.limit),
            "X-RateLimit-Remaining": str(verdict.remaining),
            "X-RateLimit-Window": str(rule.window),
        }
        self._count(action, principal, "allowed" if verdict.allowed else "blocked")
        gate_log: GateLog = request.state.gate_log
        if not verdict.allowed and not self.enforced:
            self.metrics.limits_bypassed.labels(method=request.method).inc()
            log("gateway.api").warning(
                "rate limit exceeded, let through", action=action, principal=principal.sub
            )
        elif not verdict.allowed:
            self._enter(gate_log, "block")
            raise RateLimited(
                _WORDS.get(verdict.reason or "", "too many requests"),
                reason=verdict.reason,
                retry_after=verdict.retry_after,
            )
        self._enter(gate_log, "pass")

    async def give_back(self, request: Request, action: str, principal: Principal) -> None:
        """What was refused for want of a second factor was no attempt."""
        await self.limits.give_back(action, f"{principal.kind}:{principal.sub}")
        headers: dict[str, str] = request.state.headers
        headers["X-RateLimit-Remaining"] = str(int(headers["X-RateLimit-Remaining"]) + 1)

    def _rule(self, action: str, principal: Principal) -> RateRule:
        rule = self.rules[action]
        if principal.kind is not ActorKind.SERVICE or self.service_factor == 1:
            return rule
        factor = self.service_factor
        return RateRule(
            limit=rule.limit * factor,
            window=rule.window,
            burst=rule.burst and rule.burst * factor,
            overall=rule.overall and rule.overall * factor,
        )

    def _count(self, action: str, principal: Principal, result: str) -> None:
        if action in TRADING:
            kind = principal.kind.value
            self.metrics.api_limits.labels(action=action, result=result, principal_type=kind).inc()
        else:
            self.metrics.control_limits.labels(action=action, result=result).inc()

    def _enter(self, gate_log: GateLog, outcome: str) -> None:
        gate_log.record("rate_limit", outcome, at=self.clock.now())
        self.metrics.gate_verdicts.labels(gate="rate_limit", verdict=outcome).inc()
