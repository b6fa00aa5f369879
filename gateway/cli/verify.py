"""`gateway verify`: the whole log folded again, and every read table held against it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from gateway.cli.endings import CommandFailed
from gateway.cli.reading import open_log, reading_url
from gateway.cli.rebuild import progress_bar
from gateway.projections.audit import Report
from gateway.projections.audit import verify as check_ledger
from gateway.projections.catalog import PROJECTIONS
from gateway.projections.comparison import Comparison
from gateway.projections.verify import verify_projections
from gateway.settings import Settings


async def verify(settings: Settings, console: Console) -> None:
    """Raises CommandFailed when a check fails."""
    async with open_log(settings) as log:

        async def tables() -> Sequence[Comparison]:
            return await verify_projections(reading_url(settings), log, PROJECTIONS)

        with progress_bar(console) as progress:
            task = progress.add_task("checking the ledger", total=None)
            report = await check_ledger(
                log,
                tables,
                progress=lambda done, head: progress.update(task, completed=done, total=head),
            )
    _show(console, report)
    if not report.ok:
        raise CommandFailed("the ledger is not in order; nothing was changed")


def _show(console: Console, report: Report) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in report.checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        table.add_row(mark, check.name, f"{check.checked} looked at")
        for failure in check.failures:
            table.add_row("", "", f"[red]{failure}[/]")
    console.print(table)
    console.print(
        f"{report.events_checked} events in {report.duration_ms} ms, head at position {report.head}"
    )
