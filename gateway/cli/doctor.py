"""`gateway doctor`: what was looked at, and what to do where it is not as it has to be."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from gateway.cli.endings import CommandFailed
from gateway.doctor import diagnose
from gateway.settings import Settings


def doctor(settings: Settings, console: Console) -> None:
    """Raises CommandFailed when something has to be done."""
    findings = asyncio.run(diagnose(settings, datetime.now(UTC)))
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        table.add_row(mark, finding.subject, finding.message)
        if finding.what_to_do:
            table.add_row("", "", f"[yellow]{finding.what_to_do}[/]")
    console.print(table)
    ailing = sum(not finding.ok for finding in findings)
    if ailing:
        raise CommandFailed(f"{ailing} of {len(findings)} things need attention")
