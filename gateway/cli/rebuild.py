"""`gateway rebuild`: read tables from the first event, proved equal before they answer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.endings import CommandFailed
from gateway.cli.reading import reading_url
from gateway.ledger.catalog import CATALOG
from gateway.projections.catalog import PROJECTIONS, named
from gateway.projections.comparison import Comparison
from gateway.projections.offline import rebuild_tables
from gateway.settings import Settings


async def rebuild(settings: Settings, console: Console, names: Sequence[str]) -> None:
    """No names stand for all of them. Raises CommandFailed, RebuildInProgress, RebuildUnproven."""
    try:
        chosen = named(names) if names else PROJECTIONS
    except KeyError as unknown:
        known = ", ".join(projection.name for projection in PROJECTIONS)
        raise CommandFailed(f"there is no projection {unknown}; there are {known}") from None
    with progress_bar(console) as progress:
        task = progress.add_task("folding the ledger", total=None)
        proofs = await rebuild_tables(
            reading_url(settings),
            CATALOG,
            chosen,
            lambda done, head: progress.update(task, completed=done, total=head),
        )
    for proof in proofs:
        console.print(proof_line(proof), markup=False, soft_wrap=True)


def progress_bar(console: Console) -> Progress:
    """Drawn on a terminal only, and gone when the work is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def proof_line(proof: Comparison) -> str:
    """The table's digest beside that of the fold of the log."""
    verdict = "equal" if proof.equal else "DIFFERENT"
    return (
        f"{proof.name}: {proof.rows} rows at position {proof.position}; "
        f"table {proof.table_digest[:12]}, ledger {proof.fold_digest[:12]}: {verdict}"
    )
