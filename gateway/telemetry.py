"""Every metric and log name of the house, once. No business words are decided here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series are no names of ours

_P = "execution_gateway_"

GATE_SHORT_NAMES: Final = {
    "kill_switch_unavailable": "kill_switch_avail",
    "circuit_breaker_unavailable": "circuit_breaker_avail",
    "position_reservation_unavailable": "position_reservation_avail",
    "kill_switch_engaged": "kill_switch",
    "circuit_breaker_tripped": "circuit_breaker",
}


@dataclass(frozen=True, slots=True)
class GateEntry:
    gate: str
    outcome: str
    detail: str | None
    at: datetime


@dataclass(slots=True)
class GateLog:
    """The gates one request walked. Two views of the same facts: `names` and `sequence`."""

    entries: list[GateEntry] = field(default_factory=list)

    def record(self, gate: str, outcome: str, detail: str | None = None, *, at: datetime) -> None:
        """`outcome` is pass, skip, block, error, or success for the last step."""
        self.entries.append(GateEntry(gate, outcome, detail, at))

    @property
    def is_closed(self) -> bool:
        """A block ends the walk."""
        return bool(self.entries) and self.entries[-1].outcome == "block"

    @property
    def names(self) -> list[str]:
        return [entry.gate for entry in self.entries]

    @property
    def sequence(self) -> list[str]:
        return [f"{GATE_SHORT_NAMES.get(entry.gate, entry.gate)}:{entry.outcome}" for entry in self.entries]

    def __iter__(self) -> Iterator[GateEntry]:
        return iter(self.entries)


class SymbolLabels:
    """Keeps the `symbol` label a closed set: the first 500 symbols by name, the rest as `other`."""

    LIMIT = 500

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, symbol: str) -> str:
        if symbol in self._seen or len(self._seen) < self.LIMIT:
            self._seen.add(symbol)
            return symbol
        return "other"


class Metrics:
    """The metrics of one process. Names are as exposed; meanings are in docs/metrics.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.symbol = SymbolLabels()
        self._orders()
        self._market_and_broker()
        self._reconciliation()
        self._access()
        self._safety()
        self._ledger()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(name, about, labels, registry=self.registry)

    def _orders(self) -> None:
        self.orders_submitted = self._counter(
            f"{_P}orders_submitted_total", "Submission intents recorded in the ledger."
        )
        self.orders_filled = self._counter(f"{_P}orders_filled_total", "Orders that reached filled.")
        self.order_latency = self._histogram(
            f"{_P}order_latency_seconds", "From receipt of the request to the recorded broker outcome."
        )
        self.orders = self._counter(
            f"{_P}orders_total",
            "Submissions by result: success, failed, rejected, blocked, unknown.",
            "symbol",
            "side",
            "status",
        )
        self.placement = self._histogram(
            f"{_P}order_placement_duration_seconds", "Gate walk and broker call.", "symbol", "side"
        )
        self.placement_plain = self._histogram(
            "order_placement_duration_seconds", "Gate walk and broker call, without labels."
        )
        self.fat_finger_warnings = self._counter(
            f"{_P}fat_finger_warnings_total", "Breaches that do not block.", "threshold_type"
        )
        self.fat_finger_rejections = self._counter(
            f"{_P}fat_finger_rejections_total", "Breaches that block.", "threshold_type"
        )

    def _market_and_broker(self) -> None:
        self.positions_current = self._gauge(
            f"{_P}positions_current", "Account-wide quantity in shares.", "symbol"
        )
        self.pnl = self._gauge(f"{_P}pnl_dollars", "Account-wide P&L: realized, unrealized, total.", "type")
        self.database_up = self._gauge(f"{_P}database_connection_status", "1 while Postgres answers.")
        self.redis_up = self._gauge(f"{_P}redis_connection_status", "1 while Redis answers.")
        self.alpaca_up = self._gauge(f"{_P}alpaca_connection_status", "1 while the broker answers.")
        self.broker_calls = self._counter(
            f"{_P}alpaca_api_requests_total", "Broker calls by result.", "operation", "status"
        )
        self.webhooks = self._counter(f"{_P}webhook_received_total", "Verified webhooks.", "event_type")
        self.dry_run = self._gauge(f"{_P}dry_run_mode", "1 in DRY_RUN.")
        self.broker_facts = self._counter(
            f"{_P}broker_facts_total", "Facts by source and what became of them.", "source", "disposition"
        )
        self.unknown_broker_events = self._counter(
            f"{_P}unknown_broker_events_total", "Events nobody has seen before.", "source"
        )
        self.fact_at = self._gauge(
            f"{_P}last_fact_timestamp", "Unix time at which a source's newest fact was recorded.", "source"
        )
        self.order_flags = self._counter(
            f"{_P}order_flags_total", "Orders the broker treated otherwise than we meant, by flag.", "flag"
        )
        self.dead_letters = self._gauge(
            f"{_P}dead_letters", "Messages kept aside that nobody could record; `gateway inbox` lists them."
        )
        self.stream_silences = self._counter(
            f"{_P}stream_silences_total", "Reconnects forced because polling saw what the stream did not."
        )
        self.clock_skew = self._gauge(
            f"{_P}broker_clock_skew_seconds", "The broker's clock less ours; an alarm from 0.05 either way."
        )
        self.cancels_stuck = self._gauge(
            f"{_P}cancels_stuck", "Orders whose cancel the broker has not confirmed for ten minutes."
        )
        self.stream_connected = self._gauge(f"{_P}stream_connected", "1 while trade updates are read.")

    def _reconciliation(self) -> None:
        self.mismatches = self._counter(
            f"{_P}reconciliation_mismatches_total", "Facts reconciliation had to add.", "pod"
        )
        self.conflicts_skipped = self._counter(
            f"{_P}reconciliation_conflicts_skipped_total",
            "Reports without effect because a stronger fact is booked.",
            "pod",
        )
        self.reconciled_at = self._gauge(
            f"{_P}reconciliation_last_run_timestamp", "Unix time of the last successful pass.", "pod"
        )
        self.symbols_quarantined = self._counter(
            f"{_P}symbols_quarantined_total", "New quarantines.", "pod", "symbol"
        )
        self.open_breaks = self._gauge(f"{_P}open_breaks", "Open breaks.", "kind")
        self.orphans_open = self._gauge(f"{_P}orphans_open", "Orphans nobody has resolved.")
        self.inferred_executions = self._gauge(
            f"{_P}inferred_executions",
            "Executions booked from a running total that no real one has replaced.",
        )

    def _access(self) -> None:
        self.auth_checks = self._counter(
            "api_auth_checks_total", "Authentications.", "action", "result", "auth_type", "mode"
        )
        self.s2s_checks = self._counter(
            "s2s_auth_checks_total", "Service authentications.", "service_id", "result"
        )
        self.s2s_replays = self._counter("s2s_replay_detected_total", "Nonces seen before.", "service_id")
        self.api_limits = self._counter(
            "rate_limit_api_checks_total",
            "Limits of trading endpoints.",
            "action",
            "result",
            "principal_type",
        )
        self.control_limits = self._counter(
            "rate_limit_checks_total", "Limits of manual controls.", "action", "result"
        )
        self.limits_bypassed = self._counter(
            "rate_limit_bypass_total", "Requests let through by log_only.", "method"
        )
        self.limits_timeouts = self._counter(
            "rate_limit_redis_timeout_total", "Redis too slow for a limit.", "action"
        )
        self.limits_errors = self._counter(
            "rate_limit_redis_errors_total", "Redis errors at a limit.", "action"
        )
        self.audit_events = self._counter("audit_log_events_total", "Audit events.", "event_type", "outcome")
        self.audit_failures = self._counter(
            "audit_log_write_failures_total", "Audit events that could not be written.", "reason"
        )
        self.audit_latency = self._histogram("audit_write_latency_seconds", "Time to write an audit event.")
        self.admin_actions = self._counter("admin_action_total", "Administrative actions.", "action")
        self.http_requests = self._histogram(
            f"{_P}http_request_duration_seconds", "HTTP requests.", "method", "route", "status_class"
        )

    def _safety(self) -> None:
        self.breaker_enabled = self._gauge(f"{_P}circuit_breaker_enabled", "1 when the gates obey it.")
        self.breaker_state = self._gauge(f"{_P}circuit_breaker_state", "1 for the current state.", "state")
        self.kill_switch_engaged = self._gauge(
            f"{_P}kill_switch_engaged", "Engaged targets per kind of scope.", "scope"
        )
        self.gate_verdicts = self._counter(
            f"{_P}gate_verdicts_total", "Verdicts per gate.", "gate", "verdict"
        )
        self.unknown_outcomes = self._gauge(
            f"{_P}unknown_outcomes", "Orders whose broker outcome is not known."
        )
        self.unknown_resolutions = self._counter(
            f"{_P}unknown_outcome_resolutions_total", "How unknown outcomes ended.", "result"
        )
        self.reservation_drift = self._gauge(
            f"{_P}reservation_drift", "Shares of difference between mirror and ledger at the last audit."
        )
        self.mirror_rebuilds = self._counter(
            f"{_P}mirror_rebuilds_total", "Full builds of the Redis mirror.", "reason"
        )
        self.slices = self._counter(f"{_P}slices_total", "Slices by result.", "result")

    def _ledger(self) -> None:
        self.ledger_position = self._gauge(f"{_P}ledger_position", "Head of the ledger.")
        self.append_conflicts = self._counter(
            f"{_P}ledger_append_conflicts_total", "Batches that had to be decided again."
        )
        self.projection_lag_events = self._gauge(
            f"{_P}projection_lag_events", "Events behind the head.", "projection"
        )
        self.projection_lag_seconds = self._gauge(
            f"{_P}projection_lag_seconds", "Seconds behind the head.", "projection"
        )
        self.task_up = self._gauge(f"{_P}background_task_up", "1 while the task runs.", "task")


def configure_logging(level: str, **bound: Any) -> None:
    """One JSON object per line on stdout, whoever logs; `bound` is in every line (service, version, pod)."""

    def name_us(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**bound, **line}

    known: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        name_us,
        _stamp,
    ]
    told: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str),
    ]
    structlog.configure(
        processors=[*known, *told],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *known],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *told],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)  # libraries: only trouble
    logging.getLogger("gateway").setLevel(level)


def _stamp(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    line["logger"] = line.pop("logger_name", None) or line.get("logger", "gateway")
    line["timestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return line


def log(name: str) -> Any:
    """A structured logger; pass fields, never sentences with values in them."""
    return structlog.get_logger(logger_name=name)
