"""Every bench, one after the other, and one table at the end: `python -m bench`, or `make bench`."""

from __future__ import annotations

import os

from bench import http, ledger, projections
from bench.rows import show

if __name__ == "__main__":
    before = os.getloadavg()[0]
    found = [row for bench in (ledger, projections, http) for row in bench.rows()]
    show(found)
    print(f"{os.cpu_count()} cores; load before {before:.1f}, after {os.getloadavg()[0]:.1f}")
