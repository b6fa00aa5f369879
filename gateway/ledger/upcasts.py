"""Old shapes to new, one pure function per step, over bodies as plain JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.aggregates.exact import canonical, minus, ratio

Body = dict[str, Any]


def position_split_v1(body: Body) -> Body:
    """Version 1 knew only the ratio, and split whatever was booked."""
    after = Decimal(body["account"]["qty"])
    before = ratio(after, Decimal(body["ratio"]), 9)
    return {
        "activity_id": "",
        "at": None,
        "old": "1",
        "new": body["ratio"],
        "added": canonical(minus(after, before)),
        "account": body["account"],
        "strategies": body["strategies"],
    }
