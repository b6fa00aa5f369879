"""Everything a run has at hand: the processes, who talks to them, and what has been written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from gateway.chaos.dump import Witness
from gateway.chaos.exchange import Exchange
from gateway.chaos.history import Caller, History
from gateway.chaos.plan import STRATEGIES, SYMBOLS
from gateway.cli.stage import LOCAL_KEY, Stage
from gateway.cli.tokens import mint_token
from gateway.settings import load_settings

CASH: Final = Decimal(10_000_000)
SPEED: Final = 60
LIMIT: Final = Decimal(1000)
SETTINGS: Final = {
    "ENVIRONMENT": "dev",
    "BROKER_CONNECT_TIMEOUT_SECONDS": "0.5",
    "BROKER_READ_TIMEOUT_SECONDS": "0.8",
    "BROKER_DEADLINE_SECONDS": "2",
    "RESOLVER_INTERVAL_SECONDS": "0.5",
    "RESERVATION_AUDIT_INTERVAL_SECONDS": "5",
    "RECONCILIATION_INTERVAL_SECONDS": "10",
    "RECONCILIATION_BREAK_TOLERANCE_SECONDS": "1",
    "RECONCILIATION_SUBMITTED_UNCONFIRMED_GRACE_SECONDS": "10",
    "RATE_LIMIT_MODE": "log_only",
    "FAT_FINGER_MAX_NOTIONAL": "10000000",
}
"""Everything else is as it comes; waits are shorter than usual, so that a short run sees them through."""


@dataclass(slots=True, kw_only=True)
class Desk:
    stage: Stage
    exchange: Exchange
    witness: Witness
    strategies: Mapping[str, Caller]
    operator: Caller
    history: History
    quotes: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    submitted: dict[str, tuple[Caller, Mapping[str, Any]]] = field(default_factory=dict)
    """Tickets by client order id, with whose they are."""
    counts: Counter[str] = field(default_factory=Counter)
    """What went wrong, by name, and how often."""

    def quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Bid and ask as last seen."""
        return self.quotes[symbol]

    def look_at_prices(self) -> None:
        """The exchange's own quotes, where no fault distorts them now."""
        found = self.exchange.ask("GET", f"/v2/stocks/quotes/latest?symbols={','.join(SYMBOLS)}")["quotes"]
        for symbol, quote in found.items():
            bid, ask = Decimal(quote["bp"]), Decimal(quote["ap"])
            if 0 < bid <= ask:
                self.quotes[symbol] = (bid, ask)


@contextmanager
def opened(home: Path, seed: int) -> Iterator[Desk]:
    """Start every process and introduce the callers; end them all, whatever happened."""
    with Stage(home=home, given=SETTINGS, source="synthetic", seed=seed, speed=SPEED) as stage:
        names = {"ALPACA_API_KEY_ID": "APCA-API-KEY-ID", "ALPACA_API_SECRET_KEY": "APCA-API-SECRET-KEY"}
        exchange = Exchange(stage.exchange_url, {names[key]: value for key, value in LOCAL_KEY.items()})
        exchange.ask("POST", "/_ctl/account", {"cash": str(CASH)})
        exchange.ask("PUT", "/_ctl/config", {"fees": False})
        history = History()
        desk = Desk(
            stage=stage,
            exchange=exchange,
            witness=Witness(exchange),
            strategies={name: _caller(stage, name, "operator", name, history) for name in STRATEGIES},
            operator=_caller(stage, "olivia", "admin", "*", history),
            history=history,
        )
        desk.look_at_prices()
        try:
            yield desk
        finally:
            for caller in (*desk.strategies.values(), desk.operator):
                caller.close()
            exchange.close()


def _caller(stage: Stage, name: str, role: str, strategy: str, history: History) -> Caller:
    token = mint_token(
        load_settings(stage.variables), sub=name, role=role, strategies=[strategy], seconds=86_000
    )
    return Caller(stage.url, token, name=name, history=history)
