"""A kept state or row is only as good as the number that says what shape it has.

When a digest differs, raise the `state_version` or the projection's `version` beside the change, then write
the new line here: what was kept under the old number is then made anew, never misread.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from gateway.ledger.catalog import CATALOG
from gateway.projections.catalog import PROJECTIONS

STATES = {
    "order- 3": "3138e2b7b3314e09",
    "position- 1": "c6e6ab1f14f310d3",
    "slice-plan- 1": "c385eb52bfd20ce2",
    "slice-request- 1": "00404e686415370f",
    "kill-switch- 1": "e2584b008bc96b03",
    "circuit-breaker 1": "bb7191d371922122",
    "risk-limits 1": "919676dca9b2c6e6",
    "recon-gate 3": "f9816a0d33940e2c",
    "activity- 1": "94c8bfb8b64b38f6",
    "audit- 1": "bcde375ebd4cbacf",
    "lease- 1": "9a0ba4116ac57685",
}
TABLES = {
    "orders 2": "9c2b8422f6d9a28b",
    "fills 1": "d27e92b5ba1fe8bd",
    "positions 1": "31ae88ac43a78e4c",
    "strategy_positions 1": "849001b624a386e0",
    "breaks 3": "0a116f9c73503789",
}


def digest(shape: Any) -> str:
    return sha256(msgspec.json.encode(shape, order="sorted")).hexdigest()[:16]


def states() -> dict[str, str]:
    return {f"{k.prefix} {k.state_version}": digest(msgspec.json.schema(k.state)) for k in CATALOG.kinds}


def tables() -> dict[str, str]:
    return {
        f"{p.name} {p.version}": digest([(str(c.name), str(c.type), c.nullable) for c in p.table.columns])
        for p in PROJECTIONS
    }


@pytest.mark.parametrize("name", sorted({*STATES, *states()}))
def test_a_state_keeps_its_shape_as_long_as_it_keeps_its_version(name: str) -> None:
    assert states().get(name) == STATES.get(name)


@pytest.mark.parametrize("name", sorted({*TABLES, *tables()}))
def test_a_table_keeps_its_columns_as_long_as_it_keeps_its_version(name: str) -> None:
    assert tables().get(name) == TABLES.get(name)
