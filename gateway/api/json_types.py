"""How values look on the wire: decimals as plain text, instants in UTC with six digits, ids by pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StrictBool, WithJsonSchema

from gateway.aggregates.exact import canonical, rounded
from gateway.aggregates.vocabulary import ClientOrderId, StrategyId, Symbol

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE](?P<exponent>[+-]?[0-9]{1,4}))?")
_LONGEST_NUMBER: Final = 40
_LARGEST_EXPONENT: Final = 18
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNENCODED_PLUS: Final = re.compile(r"[0-9] [0-9]{2}:[0-9]{2}")
_WIDEST_OFFSET: Final = timedelta(hours=14)
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9]{0,5}(?:[.-][A-Z]{1,3})?")
_STRATEGY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,49}")
_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COUNT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,128}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
RESERVED_ORDER_IDS: Final = frozenset(
    {"pending", "recent-fills", "cancel-all", "slice", "events", "slices", "cancel"}
)


# --- out --------------------------------------------------------------------------------------------


decimal_text: Final = canonical
"""Plain notation, exact: no exponent, no trailing zeros, never minus zero."""


def rounded_text(places: int) -> Callable[[Decimal], str]:
    """Text with at most `places` decimals, half to even."""
    return lambda value: decimal_text(rounded(value, places))


def timestamp_text(value: datetime) -> str:
    """RFC 3339 in UTC with exactly six fractional digits."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def quantity_json(value: Decimal) -> int | str:
    """Whole order quantities are numbers; a fraction, which only the broker's side brings, is text."""
    return int(value) if value == value.to_integral_value() else decimal_text(value)


def json_value(value: Any) -> Any:
    """The wire form of a fact, for the parts of a problem that have no schema of their own."""
    match value:
        case Decimal():
            return decimal_text(value)
        case datetime():
            return timestamp_text(value)
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [json_value(item) for item in value]
        case None | bool() | int():
            return value
        case _:
            return str(value)


def _shown(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema(schema, mode="serialization")


_PLAIN_DECIMAL: Final[dict[str, Any]] = {
    "type": "string",
    "format": "decimal",
    "pattern": r"^(?:0|-?(?:[1-9][0-9]*(?:\.[0-9]*[1-9])?|0\.[0-9]*[1-9]))$",
}
_UTC_INSTANT: Final[dict[str, Any]] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
}
DecimalText = Annotated[Decimal, PlainSerializer(decimal_text, return_type=str), _shown(_PLAIN_DECIMAL)]
AveragePrice = Annotated[Decimal, PlainSerializer(rounded_text(6), return_type=str), _shown(_PLAIN_DECIMAL)]
Percentage = Annotated[Decimal, PlainSerializer(rounded_text(4), return_type=str), _shown(_PLAIN_DECIMAL)]
Quantity = Annotated[
    Decimal,
    PlainSerializer(quantity_json, return_type=int | str),
    _shown({"anyOf": [{"type": "integer"}, _PLAIN_DECIMAL]}),
]
Timestamp = Annotated[datetime, PlainSerializer(timestamp_text, return_type=str), _shown(_UTC_INSTANT)]


# --- in ---------------------------------------------------------------------------------------------


def number_from_text(text: str) -> Decimal:
    """Read a JSON number exactly; its length and exponent are bounded before any arithmetic."""
    if len(text) > _LONGEST_NUMBER or not (match := _NUMBER.fullmatch(text)):
        raise ValueError("is not a number in plain notation of at most 40 characters")
    if abs(int(match["exponent"] or 0)) > _LARGEST_EXPONENT:
        raise ValueError("has an exponent beyond 18")
    return Decimal(text)


def _decimal(value: object) -> Decimal:
    match value:
        case Decimal():
            return value
        case bool():
            raise ValueError("is not a number")
        case int():
            return Decimal(value)
        case str():
            return number_from_text(value)
        case _:
            raise ValueError("is not a number")


def _whole(value: object) -> Decimal:
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError("must be whole shares")
    return number


def _whole_number(value: object) -> int:
    return int(_whole(value))


def _integer(value: object) -> object:
    if type(value) is not int:
        raise ValueError("must be an integer")
    return value


def _count(value: object) -> int:
    if not isinstance(value, str) or not _COUNT.fullmatch(value):
        raise ValueError("is not a whole number in plain digits")
    return int(value)


def _flag(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return value == "true"


def _price(value: Decimal) -> Decimal:
    if not 0 < value <= 1_000_000:
        raise ValueError("must be above 0 and at most 1000000")
    decimals = len(decimal_text(value).partition(".")[2])
    if decimals > (2 if value >= 1 else 4):
        raise ValueError("has too many decimals: 2 from 1.00 upward, 4 below")
    return value


def instant_from_text(value: object) -> datetime:
    """An instant with an offset, in UTC; digits beyond microseconds are cut off."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        hint = "; write + as %2B in a query" if _UNENCODED_PLUS.search(str(value)) else ""
        raise ValueError(f"is not an RFC 3339 timestamp with an offset{hint}")
    try:
        moment = datetime.fromisoformat(value.upper())
        if abs(moment.utcoffset() or timedelta()) > _WIDEST_OFFSET:
            raise ValueError("has an offset beyond 14 hours")
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("is not a date written YYYY-MM-DD")
    return date.fromisoformat(value)


def _matching(pattern: re.Pattern[str], words: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"is not {words}")
        return value

    return check


def symbol_from_text(value: object) -> Symbol:
    """Trimmed and upper-cased; only ASCII, so no look-alike letter turns into a real one."""
    text = value.strip(" ").upper() if isinstance(value, str) and value.isascii() else ""
    if not _SYMBOL.fullmatch(text):
        raise ValueError("is not a symbol")
    return Symbol(text)


def _given_order_id(value: object) -> str:
    text = _matching(_ORDER_ID, "an order id of 1-64 letters, digits, _ or -")(value)
    if text in RESERVED_ORDER_IDS:
        raise ValueError("is a reserved word")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or _CONTROL.search(value):
        raise ValueError("is not text without control characters")
    return value


def collapsed(value: str) -> str:
    """Trimmed, every run of blanks one space."""
    return " ".join(value.split())


def is_visible_ascii(value: str) -> bool:
    """1-128 visible ASCII characters."""
    return _VISIBLE.fullmatch(value) is not None


is_strategy_id: Final = _STRATEGY.fullmatch


def _written(*ways: dict[str, Any]) -> WithJsonSchema:
    """How a request may write a value. Constraints of `Field` stand before it, so that they show once."""
    return WithJsonSchema(ways[0] if len(ways) == 1 else {"anyOf": list(ways)}, mode="validation")


def _text_like(pattern: str, **more: object) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", **more}


_DIGITS: Final = _text_like(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", maxLength=_LONGEST_NUMBER)
_WHOLE_DIGITS: Final = _text_like(r"-?(?:0|[1-9][0-9]*)", maxLength=_LONGEST_NUMBER)
MOST_SHARES: Final = 1_000_000_000

AS_DECIMAL: Final = BeforeValidator(_decimal)
AS_INTEGER: Final = BeforeValidator(_integer)
"""Only a JSON integer; stands after the `Field` that bounds it."""
AS_COUNT: Final = BeforeValidator(_count)
"""Only plain digits; for the query and the headers, where everything is text."""

Flag = StrictBool
"""Only `true` and `false`."""
FlagText = Annotated[bool, BeforeValidator(_flag), _written({"type": "boolean"})]
Amount = Annotated[
    Decimal, Field(gt=0), AS_DECIMAL, _written(_DIGITS, {"type": "number", "exclusiveMinimum": 0})
]
Fraction = Annotated[
    Decimal,
    Field(gt=0, le=1),
    AS_DECIMAL,
    _written(_DIGITS, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]
Shares = Annotated[
    Decimal,
    Field(gt=0, le=MOST_SHARES),
    AS_DECIMAL,
    _written(_DIGITS, {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_SHARES}),
]
WholeShares = Annotated[
    Decimal,
    Field(ge=-MOST_SHARES, le=MOST_SHARES),
    BeforeValidator(_whole),
    _written(_WHOLE_DIGITS, {"type": "integer", "minimum": -MOST_SHARES, "maximum": MOST_SHARES}),
]
OrderQty = Annotated[int, Field(ge=1, le=MOST_SHARES), AS_INTEGER]
OrderQtyByHand = Annotated[
    int,
    Field(ge=1, le=MOST_SHARES),
    BeforeValidator(_whole_number),
    _written(_WHOLE_DIGITS, {"type": "integer", "minimum": 1, "maximum": MOST_SHARES}),
]
Price = Annotated[
    Decimal,
    AS_DECIMAL,
    AfterValidator(_price),
    _written(
        _text_like(r"(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{1,4})?"),
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
    ),
]
Instant = Annotated[
    datetime, BeforeValidator(instant_from_text), _written({"type": "string", "format": "date-time"})
]
DateIn = Annotated[date, BeforeValidator(_day), _written({"type": "string", "format": "date"})]
SymbolIn = Annotated[
    Symbol,
    BeforeValidator(symbol_from_text),
    _written(_text_like(r" *[A-Za-z][A-Za-z0-9]{0,5}(?:[.-][A-Za-z]{1,3})? *")),
]
StrategyIn = Annotated[
    StrategyId,
    BeforeValidator(_matching(_STRATEGY, "a strategy id")),
    _written(_text_like(_STRATEGY.pattern)),
]
GivenOrderId = Annotated[
    ClientOrderId, BeforeValidator(_given_order_id), _written(_text_like(_ORDER_ID.pattern))
]
VisibleAscii = Annotated[
    str,
    BeforeValidator(_matching(_VISIBLE, "1-128 visible ASCII characters")),
    _written(_text_like("[!-~]{1,128}")),
]
_ANY_TEXT: Final = _text_like(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*")
Text = Annotated[str, BeforeValidator(_text), _written(_ANY_TEXT)]
ShortText = Annotated[
    Text,
    AfterValidator(str.strip),
    Field(min_length=1, max_length=512),
    _written(_ANY_TEXT | {"minLength": 1, "maxLength": 512}),
]
Name = Annotated[
    Text,
    AfterValidator(str.strip),
    Field(min_length=1, max_length=128),
    _written(_ANY_TEXT | {"minLength": 1, "maxLength": 128}),
]
LongReason = Annotated[
    Text, AfterValidator(collapsed), Field(min_length=10), _written(_ANY_TEXT | {"minLength": 10})
]
LongerReason = Annotated[
    Text, AfterValidator(collapsed), Field(min_length=20), _written(_ANY_TEXT | {"minLength": 20})
]
