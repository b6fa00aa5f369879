"""A chaos run from seed to verdict."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.adapters.embedded import EmbeddedServerFailed
from gateway.chaos.desk import LIMIT, Desk, opened
from gateway.chaos.driving import Drive
from gateway.chaos.dump import read_events, read_tables
from gateway.chaos.evidence import Evidence
from gateway.chaos.healing import NotHealed, heal
from gateway.chaos.plan import Plan, draw
from gateway.chaos.report import judge, replay_line, show_plan, show_size, show_troubles
from gateway.cli.endings import CommandFailed
from gateway.cli.stage import temporary_home


class ChaosFailed(CommandFailed):
    """An invariant does not hold; the message says how to see it again."""


def perform(console: Console, *, seed: int, minutes: float, keep: bool) -> None:
    """Raises ChaosFailed, with the line that repeats the run."""
    began = time.monotonic()
    try:
        with temporary_home("chaos", keep=keep) as home, opened(home, seed) as desk:
            evidence, broken = _run(console, desk, draw(seed, minutes * 60, desk.exchange.faults()))
            if keep:
                console.print(f"logs and data stay in {home}")
    except (CommandFailed, EmbeddedServerFailed) as error:
        raise ChaosFailed(f"{error}\n{replay_line(seed, minutes)}") from error
    show_size(console, evidence, time.monotonic() - began)
    if broken:
        raise ChaosFailed(f"{len(broken)} violations.\n{replay_line(seed, minutes)}")


def _run(console: Console, desk: Desk, plan: Plan) -> tuple[Evidence, list[str]]:
    """What was found, and every violation in words."""
    show_plan(console, plan)
    cash, late = _cash(desk), []
    _drive(console, desk, plan)
    try:
        heal(desk, lambda words: console.print(f"  {words}", style="dim"))
    except NotHealed as error:
        late.append(str(error))
    evidence = _gather(desk, cash)
    show_troubles(console, desk)
    return evidence, late + judge(console, evidence)


def _cash(desk: Desk) -> Decimal:
    (account,) = desk.exchange.ask("GET", "/_ctl/truth")["accounts"].values()
    return Decimal(account["cash"])


def _drive(console: Console, desk: Desk, plan: Plan) -> None:
    bar = Progress(TextColumn("chaos"), BarColumn(), TimeElapsedColumn(), console=console, transient=True)
    with bar:
        task = bar.add_task("chaos", total=plan.seconds)
        Drive(desk, plan).run(lambda seconds: bar.update(task, completed=seconds))


def _gather(desk: Desk, cash: Decimal) -> Evidence:
    """Everything as it stands now. The gateway's own proof is one of the sources, not a judge."""
    database = desk.stage.variables["DATABASE_URL"]
    proof = desk.operator.ask("GET", "ledger/verify")
    checks: list[dict[str, Any]] = proof.answer["checks"] if proof.succeeded else []
    return Evidence(
        events=read_events(database),
        tables=read_tables(database, checks),
        broker=desk.witness.read(cash),
        calls=list(desk.history),
        limit=LIMIT,
    )
