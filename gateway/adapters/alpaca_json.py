"""JSON from the broker, read without ever making a float."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn


def read_json(text: bytes | str) -> Any:
    """The value with Decimals for fractions, or None when it is not JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
