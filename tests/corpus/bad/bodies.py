"""Bodies of an order that nobody should send, by the id of the catalogue; and unusual ones that are right."""

from __future__ import annotations

import gzip
import json
from typing import Any

ORDER: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "qty": 10}
LIMIT: dict[str, Any] = ORDER | {"order_type": "limit"}


def raw(field: str, literal: str, **others: object) -> bytes:
    """An order with one field written as given, to the letter."""
    fields = [f"{json.dumps(k)}:{json.dumps(v)}" for k, v in {**ORDER, **others}.items() if k != field]
    return ("{" + ",".join([*fields, f"{json.dumps(field)}:{literal}"]) + "}").encode()


def limit(literal: str) -> bytes:
    return raw("limit_price", literal, order_type="limit")


REFUSED = {
    "BI:B-01 zero": raw("qty", "0"),
    "BI:B-01 minus zero": raw("qty", "-0"),
    "BI:B-01 negative": raw("qty", "-1"),
    "BI:B-01 price zero": limit("0"),
    "BI:B-01 price minus zero": limit('"-0"'),
    "BI:B-01 negative price": limit("-1.5"),
    "BI:B-02 sub-penny from 1.00": limit("150.005"),
    "BI:B-02 five decimals below 1.00": limit('"0.12345"'),
    "BI:B-03 beyond a billion": raw("qty", "1000000001"),
    "BI:B-04 fractional": raw("qty", "1.5"),
    "BI:B-04 fractional text": raw("qty", '"0.5"'),
    "BI:B-05 notional": raw("notional", "100"),
    "BI:B-05 notional without qty": b'{"symbol":"AAPL","side":"buy","notional":100}',
    "BI:B-06 NaN": limit("NaN"),
    "BI:B-06 Infinity": limit("Infinity"),
    "BI:B-06 minus Infinity": limit("-Infinity"),
    "BI:B-06 NaN text": limit('"NaN"'),
    "BI:B-06 Infinity text": limit('"Infinity"'),
    "BI:B-06 qty 1e2": raw("qty", "1e2"),
    "BI:B-06 huge exponent text": limit('"1E+5000"'),
    "BI:B-06 huge exponent": limit("1e400"),
    "BI:B-06 tiny exponent": limit('"1e-400"'),
    "BI:B-06 exponent of 10000 digits": limit("1e" + "9" * 10_000),
    "BI:B-07 leading zeros": limit('"007"'),
    "BI:B-07 leading zeros in a number": limit("007"),
    "BI:B-07 plus": limit('"+5"'),
    "BI:B-08 comma": limit('"1,5"'),
    "BI:B-09 percent": limit('"5%"'),
    "BI:B-09 currency": limit('"$5"'),
    "BI:B-10 thin space": limit('"1\\u2009000"'),
    "BI:B-10 underscore": limit('"1_000"'),
    "BI:B-10 surrounding blanks": limit('" 5 "'),
    "BI:B-10 full-width": limit('"\\uff15"'),
    "BI:B-10 arabic digits": limit('"\\u0665"'),
    "BI:B-11 subnormal": limit("4.9e-324"),
    "BI:B-11 a thousand decimals": limit("0." + "1" * 1000),
    "BI:B-12 more digits than a context holds": limit("1." + "0" * 30 + "1"),
    "BI:B-12 an integer of 5000 digits": raw("qty", "9" * 5000),
    "BI:B-13 empty": raw("symbol", '""'),
    "BI:B-13 blanks": raw("symbol", '"   "'),
    "BI:B-15 NUL": raw("symbol", '"AA\\u0000PL"'),
    "BI:B-15 control": raw("symbol", '"AAPL\\u0007"'),
    "BI:B-16 composed character": raw("symbol", '"\\u00c9TN"'),
    "BI:B-17 Cyrillic A": raw("symbol", '"\\u0410APL"'),
    "BI:B-17 long s": raw("symbol", '"\\u017fPY"'),
    "BI:B-17 dotless i": raw("symbol", '"\\u0131BM"'),
    "BI:B-18 emoji": raw("symbol", '"\\ud83d\\ude80"'),
    "BI:B-18 zero width joiner": raw("symbol", '"AA\\u200dPL"'),
    "BI:B-19 bidi": raw("symbol", '"\\u202eAAPL"'),
    "BI:B-20 lone surrogate": raw("symbol", '"\\ud800"'),
    "BI:B-20 lone surrogate in a key": b'{"\\ud800":1}',
    "BI:B-20 invalid UTF-8": b'{"symbol":"\xff\xfe"}',
    "BI:B-20 overlong": b'{"symbol":"\xc0\xaf"}',
    "BI:B-23 SQL in an id": raw("client_order_id", '"\'; drop table x;--"'),
    "BI:B-23 CRLF in an id": raw("client_order_id", '"a\\r\\nSET x 1"'),
    "BI:B-24 traversal in an id": raw("client_order_id", '"../../x"'),
    "BI:B-25 slash": raw("symbol", '"BTC/USD"'),
    "BI:B-26 proto": raw("__proto__", '{"a":1}'),
    "BI:B-26 class": raw("__class__", '"x"'),
    "BI:B-27 duplicate keys": b'{"symbol":"AAPL","side":"buy","qty":1,"qty":2}',
    "BI:B-28 comment": b'{"symbol":"AAPL",/* */"side":"buy","qty":1}',
    "BI:B-28 trailing comma": b'{"symbol":"AAPL","side":"buy","qty":1,}',
    "BI:B-29 single quotes": b"{'symbol':'AAPL'}",
    "BI:B-30 scalar": b"5",
    "BI:B-30 array": b"[]",
    "BI:B-30 null": b"null",
    "BI:B-30 empty": b"",
    "BI:B-31 nesting of 15000": b"[" * 15_000 + b"]" * 15_000,
    "BI:B-31 nesting of 33": b'{"a":' * 33 + b"1" + b"}" * 33,
    "BI:B-32 byte-order mark": b"\xef\xbb\xbf" + json.dumps(ORDER).encode(),
    "BI:B-32 UTF-16": json.dumps(ORDER).encode("utf-16"),
    "BI:B-34 gzip": gzip.compress(json.dumps(ORDER).encode()),
    "reserved id": raw("client_order_id", '"pending"'),
    "id too long": raw("client_order_id", json.dumps("x" * 65)),
    "S-16 status": raw("status", '"filled"'),
    "S-16 filled_qty": raw("filled_qty", '"10"'),
    "S-16 actor": raw("actor", '"root"'),
    "S-16 dry_run": raw("dry_run", "false"),
    "unknown side": raw("side", '"hold"'),
    "upper-case side": raw("side", '"BUY"'),
    "trailing_stop": raw("order_type", '"trailing_stop"'),
    "type and order_type differ": raw("type", '"limit"', order_type="market", limit_price="5"),
    "limit without price": raw("order_type", '"limit"'),
    "market with price": raw("limit_price", "5"),
    "stop without stop price": raw("order_type", '"stop"'),
    "stop price on a limit": raw("stop_price", "5", order_type="limit", limit_price="5"),
    "fok on a stop": raw("time_in_force", '"fok"', order_type="stop", stop_price="5"),
    "opg": raw("time_in_force", '"opg"'),
    "price above a million": limit("1000000.01"),
    "qty a boolean": raw("qty", "true"),
    "price a boolean": limit("true"),
    "misspelled field": raw("limitprice", "5"),
}

ACCEPTED = {
    "BI:B-03 exactly a billion": raw("qty", "1000000000"),
    "BI:B-06 exponent in bounds": limit("15e1"),
    "BI:B-06 exponent in text": limit('"1.5E+2"'),
    "four decimals below one": limit("0.1234"),
    "two decimals": limit('"1.25"'),
    "trailing zeros": limit('"1.2500000"'),
    "BI:B-25 dotted symbol": raw("symbol", '"BRK.B"'),
    "BI:B-25 lower case": raw("symbol", '" brk.b "'),
    "type alone": raw("type", '"limit"', limit_price="5"),
    "type and order_type agree": raw("type", '"limit"', order_type="limit", limit_price="5"),
    "price at a million": limit("1000000"),
}
