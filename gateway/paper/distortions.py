"""What faults change in the JSON that leaves: statuses nobody knows, shifted times, tomorrow's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from gateway.paper.answers import encode
from gateway.paper.faults import Faults, Params
from gateway.paper.notation import new_york, read_moment, stamp

Change = Callable[[dict[str, Any]], dict[str, Any]]

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
_OF_THE_CALENDAR: Final = frozenset({"next_open", "next_close", "expires_at"})


def distorted_body(faults: Faults, body: bytes, about: dict[str, str]) -> bytes:
    """The body of a JSON answer as the client sees it; other bodies stay."""
    changes = _changes(faults, about)
    if not changes or not body:
        return body
    return encode(_changed(json.loads(body, parse_float=Decimal), changes))


def distorted_message(faults: Faults, message: dict[str, object], about: dict[str, str]) -> dict[str, object]:
    """The data of one update as listeners see it."""
    changes = _changes(faults, about)
    return message if not changes else dict(_changed(message, changes))


def _changes(faults: Faults, about: dict[str, str]) -> list[Change]:
    changes: list[Change] = []
    if faults.has("order.unknown_status"):
        changes.append(lambda record: _with_unknown_status(faults, record))
    if seconds := _shift(faults, about):
        changes.append(lambda record: _shifted(record, timedelta(seconds=seconds)))
    if params := faults.take("schema.future", **about):
        changes.append(lambda record: _of_the_future(record, params))
    return changes


def _shift(faults: Faults, about: dict[str, str]) -> float:
    """How far the server's clock is ahead; market data bears the times of the market."""
    if about.get("path", "").startswith("/v2/stocks"):
        return 0
    skew, back = faults.take("clock.skew", **about), faults.take("clock.step_back", **about)
    return (skew.seconds if skew else 0) - (back.seconds if back else 0)


def _changed(tree: Any, changes: list[Change]) -> Any:
    """Every record of the tree changed, the innermost first."""
    match tree:
        case dict():
            record = {name: _changed(value, changes) for name, value in tree.items()}
            if record and all(isinstance(value, dict | list) for value in record.values()):
                return record  # an envelope, keyed by symbol or kind
            for change in changes:
                record = change(record)
            return record
        case list():
            return [_changed(item, changes) for item in tree]
        case _:
            return tree


def _with_unknown_status(faults: Faults, record: dict[str, Any]) -> dict[str, Any]:
    if not {"client_order_id", "status"} <= record.keys():
        return record
    about = {"cid": record["client_order_id"], "symbol": record["symbol"], "order_id": record["id"]}
    params = faults.take("order.unknown_status", **about)
    return record | {"status": params.status} if params else record


def _shifted(record: dict[str, Any], by: timedelta) -> dict[str, Any]:
    return {
        name: _shifted_text(value, by) if name not in _OF_THE_CALENDAR else value
        for name, value in record.items()
    }


def _shifted_text(value: Any, by: timedelta) -> Any:
    if not isinstance(value, str) or not _INSTANT.match(value):
        return value
    write = stamp if value.endswith("Z") else new_york
    return write(read_moment(value) + by)


def _of_the_future(record: dict[str, Any], params: Params) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in params.remove}
    strange = {name: value for name, value in params.enums.items() if name in kept}
    return kept | strange | params.add


def distorted_quote(faults: Faults, symbol: str, row: dict[str, object]) -> dict[str, object]:
    """A quote without a side, with its sides crossed, or from long ago."""
    if bare := faults.take("data.one_sided", symbol=symbol):
        row = row | ({"ap": 0, "as": 0} if bare.side == "ask" else {"bp": 0, "bs": 0})
    if faults.take("data.crossed", symbol=symbol):
        row = row | {"ap": row["bp"], "bp": row["ap"]}
    return aged(faults, symbol, row)


def aged(faults: Faults, symbol: str, row: dict[str, object]) -> dict[str, object]:
    stale = faults.take("data.stale", symbol=symbol)
    return row | {"t": _shifted_text(row["t"], timedelta(seconds=-stale.seconds))} if stale else row
