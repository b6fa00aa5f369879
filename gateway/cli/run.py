"""`gateway run`: a desk that stays up until Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from rich.console import Console

from gateway.cli.endings import CommandFailed
from gateway.cli.issuer import published
from gateway.cli.stage import Stage, is_free
from gateway.cli.surroundings import announced, home_of, occupied
from gateway.cli.tokens import mint_token
from gateway.settings import Settings, load_settings

_TOKEN_SECONDS: Final = 86_400
_AFTERMATH_SECONDS: Final = 3.0
"""What a gateway whose `gateway run` was killed may still need to end."""
_BODY: Final = '{"symbol": "AAPL", "side": "buy", "qty": 10}'


def run(console: Console, environ: Mapping[str, str], *, source: str, speed: int) -> None:
    """Start what `environ` does not name; raises CommandFailed, StageFailed, ConfigurationErrors."""
    settings = load_settings(environ)
    if not is_free(settings.http_port, within=_AFTERMATH_SECONDS):
        raise CommandFailed(
            f"port {settings.http_port} is taken, perhaps by another `gateway run`; "
            "stop that one, or choose another port: HTTP_PORT=8003 gateway run"
        )
    given = {name: value for name, value in environ.items() if _is_ours(name) and value.strip()}
    home = home_of(environ)
    with occupied(home), _second_factor(settings, home) as factor:
        console.print("starting …", style="dim")
        stage = Stage(
            home=home.resolve(),
            given={**given, **factor},
            port=settings.http_port,
            source=source,
            speed=speed,
        )
        with stage, announced(home, stage.variables):
            _greet(console, stage)
            stage.watch()


def _second_factor(settings: Settings, home: Path) -> AbstractContextManager[Mapping[str, str]]:
    """An issuer of our own, unless the environment names one or this is no desk to play with."""
    if settings.mfa_jwks_url is not None or not settings.is_relaxed:
        return nullcontext({})
    return published(home)


def _is_ours(name: str) -> bool:
    return name.removesuffix("_FILE").lower() in Settings.model_fields


def _greet(console: Console, stage: Stage) -> None:
    settings = load_settings(stage.variables)
    strategies = [settings.strategy_id]
    token = mint_token(settings, sub=_me(), role="operator", strategies=strategies, seconds=_TOKEN_SECONDS)
    broker = (
        "none: DRY_RUN records orders and sends nothing" if settings.dry_run else settings.alpaca_base_url
    )
    lines = (
        f"The gateway is up:  {stage.url}        docs: {stage.url}/docs",
        f"Broker:             {broker}",
        f"Logs:               {stage.home / 'gateway.log'}",
        "",
        "An operator's token, good for a day:",
        f"  TOKEN={token}",
        "An order:",
        f'  curl -s {stage.url}/api/v1/orders -H "Authorization: Bearer $TOKEN" \\',
        f"       -H 'Content-Type: application/json' -d '{_BODY}'",
        f"A second factor, for flatten-all:  gateway id-token --sub {_me()}",
        "In another shell:   gateway follow      gateway verify      gateway reconcile",
        "Ctrl-C stops everything.",
    )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _me() -> str:
    return os.environ.get("USER") or "operator"
