"""What a bench has to say: one row of the final table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`ratio` compares the measured figure with the yardstick of the same run; only ratios carry over."""

    name: str
    measured: str
    yardstick: str = ""
    ratio: float | None = None
    aim: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            self.measured,
            self.yardstick,
            "" if self.ratio is None else f"{self.ratio:.2f}x" if self.ratio < 2 else f"{self.ratio:.1f}x",
            self.aim,
        )


HEADINGS = ("row", "measured", "yardstick", "ratio", "aim")


def show(rows: Iterable[Row]) -> None:
    table = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rule = tuple("-" * width for width in widths)
    for cells in (HEADINGS, rule, *table[1:]):
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def percentile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]
