"""Decimal arithmetic without silent rounding, and the one way a Decimal is written down."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

_EXACT: Final = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING: Final = Context(prec=200, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])


def plus(left: Decimal, right: Decimal) -> Decimal:
    return _EXACT.add(left, right)


def minus(left: Decimal, right: Decimal) -> Decimal:
    return _EXACT.subtract(left, right)


def times(left: Decimal, right: Decimal) -> Decimal:
    return _EXACT.multiply(left, right)


def total(values: Iterable[Decimal]) -> Decimal:
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result


def ratio(numerator: Decimal, denominator: Decimal, places: int) -> Decimal:
    """The quotient with at most `places` decimals, half to even, rounded once."""
    quotient = _ROUNDING.divide(numerator, denominator)
    return rounded(quotient, places)


def rounded(value: Decimal, places: int) -> Decimal:
    return _ROUNDING.quantize(value, Decimal(1).scaleb(-places))


def canonical(value: Decimal) -> str:
    """Plain notation: no exponent, no trailing zeros after the point, never `-0`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
