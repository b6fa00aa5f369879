"""Hold the measured branches against their floors, room by room: `make cover` calls this after the suite.

The rules of the desk, the gates, and whatever turns the broker's words into ours decide about money without
asking anybody: 95 of 100 branches. Everything else: 85.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

PURE: Final = (
    "gateway/aggregates/",
    "gateway/commands/gates/",
    "gateway/commands/commit_check.py",
    "gateway/adapters/alpaca_outcomes.py",
    "gateway/adapters/alpaca_reports.py",
    "gateway/reconcile/order_diff.py",
    "gateway/reconcile/position_diff.py",
)
PURE_FLOOR: Final = 95.0
FLOOR: Final = 85.0


def room_of(file: str) -> tuple[str, float]:
    """The room a file is measured in, and its floor."""
    for pure in PURE:
        if file.startswith(pure):
            return pure.removesuffix("/"), PURE_FLOOR
    parts = Path(file).parts
    return "/".join(parts[:2]) if len(parts) > 2 else "gateway", FLOOR


def measured(report: dict[str, Any]) -> dict[tuple[str, float], tuple[int, int]]:
    """Branches taken and branches there are, of each room."""
    found: dict[tuple[str, float], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for file, told in report["files"].items():
        summary, (taken, all_) = told["summary"], found[room_of(file)]
        found[room_of(file)] = (taken + summary["covered_branches"], all_ + summary["num_branches"])
    return found


def main(path: str) -> int:
    """Print a line for each room; 1 when one of them is under its floor."""
    under = 0
    for (room, floor), (taken, all_) in sorted(measured(json.loads(Path(path).read_text())).items()):
        percent = 100 * taken / all_ if all_ else 100.0
        under += percent < floor
        verdict = "" if percent >= floor else f"  under {floor:.0f} %"
        print(f"{room:42} {taken:5} of {all_:5} branches  {percent:6.2f} %{verdict}")
    return min(under, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
