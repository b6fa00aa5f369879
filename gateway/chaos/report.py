"""What a run prints: its size, what went wrong, and whether each invariant holds."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

from rich.console import Console

from gateway.chaos.desk import Desk
from gateway.chaos.evidence import Evidence
from gateway.chaos.invariants.catalogue import INVARIANTS
from gateway.chaos.plan import Plan

_SHOWN: Final = 8
"""Violations of one invariant that are printed; their number is printed always."""


def show_plan(console: Console, plan: Plan) -> None:
    console.print(
        f"Seed {plan.seed}: {plan.seconds:.0f} s, {len(plan.work)} requests, {len(plan.faults)} faults,"
        f" {len(plan.accidents)} accidents."
    )


def replay_line(seed: int, minutes: float) -> str:
    """What to type to see it again, and on which commit."""
    return f"REPLAY gateway chaos --seed {seed} --minutes {minutes:g}  (commit {_commit()})"


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def show_troubles(console: Console, desk: Desk) -> None:
    """One line for each kind: how often it was to happen, and for the exchange's faults how often it did."""
    for name, count in sorted(desk.counts.items()):
        struck = f", struck {desk.witness.hits[name]}" if "." in name else ""
        console.print(f"  {name:<28} {'armed' if struck else 'times'} {count}{struck}")


def judge(console: Console, evidence: Evidence) -> list[str]:
    found: list[str] = []
    for name, sentence, check in INVARIANTS:
        violations = check(evidence)
        found += violations
        mark = "[green]✓[/]" if not violations else "[red]✗[/]"
        console.print(f"{mark} {name} {sentence}: {len(violations)} differences")
        for words in violations[:_SHOWN]:
            console.print(f"    {words}", style="red", markup=False)
    return found


def show_size(console: Console, evidence: Evidence, seconds: float) -> None:
    breaks = len(evidence.tables.open_breaks)
    console.print(
        f"{len(evidence.events)} events, {len(evidence.broker.orders)} orders,"
        f" {len(evidence.broker.executions)} executions, {len(evidence.calls)} calls; {breaks} open breaks"
        f" name what cannot be known. {seconds:.0f} s"
    )
    answers = Counter(call.code or str(call.status or "no answer") for call in evidence.calls)
    console.print(", ".join(f"{name} ×{count}" for name, count in answers.most_common()), style="dim")
    for row in evidence.tables.open_breaks:
        console.print(
            f"    break: {row['kind']} {row['symbol']} {row['client_order_id'] or ''}"
            f" {row['ledger_value']} here, {row['broker_value']} there",
            style="dim",
            markup=False,
        )
