"""JSON from the broker, read without ever making a float."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def read_json(text: bytes | str) -> Any:
    """The value with Decimals for fractions, or None when it is not JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def storable(text: str) -> str:
    """Text as it came, but for the characters that neither UTF-8 nor Postgres has room for."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
