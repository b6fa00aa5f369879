"""The demo from curtain to curtain."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from typing import Final

from rich.console import Console

from gateway.cli.stage import LOCAL_KEY, Stage, temporary_home
from gateway.cli.tokens import mint_token
from gateway.demo import accidents, closing, proofs, trading, unhurried
from gateway.demo.books import Books
from gateway.demo.callers import Caller, Exchange, until
from gateway.demo.play import Play
from gateway.demo.show import Show
from gateway.settings import load_settings

CASH: Final = Decimal(1_000_000)
SPEED: Final = 600
SETTINGS: Final = {
    "ENVIRONMENT": "dev",
    "BROKER_READ_TIMEOUT_SECONDS": "1",
    "BROKER_DEADLINE_SECONDS": "2",
    "RESOLVER_INTERVAL_SECONDS": "0.5",
    "ORDER_SUBMIT_RATE_LIMIT": "600",
}
"""Everything else is as it comes; the broker's answers are awaited for a shorter time than usual."""

SCENES: Final[tuple[Callable[[Play], None], ...]] = (
    trading.session,
    trading.retry,
    trading.fat_finger,
    trading.position_limit,
    trading.cancel_race,
    trading.kill_switch,
    trading.why_blocked,
    unhurried.plan,
    accidents.broker_timeout,
    accidents.kill_nine,
    unhurried.slices,
    accidents.bust,
    unhurried.close,
    proofs.rebuild,
    proofs.reconciliation,
    proofs.verify,
    closing.books,
)


def perform(console: Console, *, source: str = "recorded", seed: int = 0) -> None:
    """Play every scene on processes of its own in a folder of its own, and leave nothing behind.

    Raises DemoFailed when something is not as it has to be, StageFailed when a process does not start.
    """
    show = Show(console)
    show.scene("A desk is set up")
    with (
        temporary_home("demo") as home,
        Stage(home=home, given=SETTINGS, source=source, seed=seed, speed=SPEED) as stage,
    ):
        play = _cast(stage, show)
        accidents.wait_for_gate(play)
        show.say(f"Postgres, Valkey, the exchange ({stage.exchange_url}) and the gateway ({stage.url}).")
        show.say(f"Real servers, in {home}. {_prices(source)} A second is ten minutes of trading.")
        show.say(f"The account starts with {play.starting_cash} dollars.")
        for scene in SCENES:
            scene(play)
    console.print(f"\n[green]All {show.checks} checks hold.[/] {show.seconds:.1f} s", highlight=False)


def _prices(source: str) -> str:
    """Where they come from; the exchange invents them when the recording is not there."""
    if source == "synthetic":
        return "The prices are invented."
    if find_spec("bokeh_sampledata") is None:
        return "The prices are invented: the recorded ones come with the extra `demo`."
    return "The prices are recorded ones, from September 2008."


def _cast(stage: Stage, show: Show) -> Play:
    key = {
        "APCA-API-KEY-ID": LOCAL_KEY["ALPACA_API_KEY_ID"],
        "APCA-API-SECRET-KEY": LOCAL_KEY["ALPACA_API_SECRET_KEY"],
    }
    exchange = Exchange(stage.exchange_url, key)
    exchange.ask("POST", "/_ctl/account", {"cash": str(CASH)})
    until(lambda: exchange.truth()["accounts"], within=5, what="the account")
    return Play(
        stage=stage,
        show=show,
        exchange=exchange,
        momentum=_caller(stage, "momentum-runner", "operator", "momentum"),
        reversion=_caller(stage, "reversion-runner", "operator", "reversion"),
        operator=_caller(stage, "olivia", "admin", "*"),
        starting_cash=Books.of(exchange.truth()).cash,
    )


def _caller(stage: Stage, name: str, role: str, strategy: str) -> Caller:
    settings = load_settings(stage.variables)
    token = mint_token(settings, sub=name, role=role, strategies=[strategy])
    return Caller(stage.url, token, name=name, strategy=strategy)
