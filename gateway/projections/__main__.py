"""`python -m gateway.projections NAME…` rebuilds tables in a process of its own, so that no gateway starves.

The database stands in PROJECTIONS_DATABASE_URL. Exits with 1 and the reason when a table was not replaced.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from gateway.aggregates.refusals import Refusal
from gateway.ledger.catalog import CATALOG
from gateway.projections.catalog import named
from gateway.projections.offline import rebuild_tables
from gateway.projections.rebuild import URL_VARIABLE, RebuildRefused, RebuildUnproven


def main(names: Sequence[str]) -> int:
    try:
        proofs = asyncio.run(rebuild_tables(os.environ[URL_VARIABLE], CATALOG, named(names)))
    except (Refusal, RebuildRefused, RebuildUnproven) as reason:
        sys.stderr.write(f"{', '.join(names)}: not rebuilt: {reason}\n")
        return 1
    for proof in proofs:
        sys.stdout.write(f"{proof.name}: {proof.rows} rows at position {proof.position}, proved equal\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
