"""How the demo looks: numbered scenes, plain sentences, tables, and a tick for whatever was checked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.demo.callers import DemoFailed

_INDENT: Final = 4
_NUMBER: Final = re.compile(r"-?[0-9.]+|–")


class Show:
    """Everything that is printed; it also counts what was checked."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.checks = 0
        self._scenes = 0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def scene(self, title: str) -> None:
        self._scenes += 1
        heading = Text(f"\n{self._scenes:>2}  {title}", style="bold")
        self.console.print(heading.append(f"  {self.seconds:.0f} s", style="not bold dim"))

    def say(self, words: str) -> None:
        self._print(Text(words))

    def prove(self, fact: bool, words: str) -> None:  # noqa: FBT001 - reads as a sentence: prove it, in words
        """Print a tick and the words; raises DemoFailed with them when it is not so."""
        if not fact:
            raise DemoFailed(f"this should hold and does not: {words}")
        self.checks += 1
        self._print(Text("✓ ", style="green").append(words, style="default"))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Numbers are aligned on the right; a last column of words may take several lines."""
        cells = [[plain(cell) for cell in row] for row in rows]
        table = Table(title=title, title_justify="left", header_style="dim", pad_edge=False, box=None)
        for place, column in enumerate(columns):
            numeric = all(_NUMBER.fullmatch(row[place]) for row in cells)
            last = place == len(columns) - 1
            table.add_column(
                column, justify="right" if numeric else "left", no_wrap=not last, overflow="fold"
            )
        for row in cells:
            table.add_row(*row)
        self._print(table)

    def _print(self, what: Text | Table) -> None:
        self.console.print(Padding(what, (0, 0, 0, _INDENT), expand=False))


def plain(cell: object) -> str:
    """Decimals in plain notation, exact; a dash for None."""
    if isinstance(cell, Decimal):
        text = f"{cell:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return "–" if cell is None else str(cell)
