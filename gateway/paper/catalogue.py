"""Every fault this exchange can be told to have, in one sentence each, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_POISON: Final = (
    "not_json",
    "truncated",
    "array",
    "null",
    "no_order",
    "no_timestamp",
    "empty_execution_id",
)
_ANSWER: Final[dict[str, object]] = {"body": None, "content_type": "application/json", "headers": {}}
_PLACES: Final = ("before", "after", "mid_body")
_ENDS: Final = (None, "canceled", "expired", "rejected", "replaced")
_STUCK: Final = (None, "pending_new", "pending_cancel", "pending_replace", "held")


@dataclass(frozen=True, slots=True)
class Kind:
    """A parameter's value is its default; a tuple holds all values it may have, the default first."""

    name: str
    sentence: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    lasting: bool = False
    """Strikes until it is disarmed, unless told how often."""

    def default(self, parameter: str) -> object:
        value = self.parameters[parameter]
        return value[0] if isinstance(value, tuple) else value

    def choices(self, parameter: str) -> tuple[object, ...] | None:
        value = self.parameters[parameter]
        return value if isinstance(value, tuple) else None

    def as_json(self) -> dict[str, object]:
        parameters = {
            name: {"default": self.default(name)}
            | ({"choices": choices} if (choices := self.choices(name)) else {})
            for name in self.parameters
        }
        return {
            "name": self.name,
            "sentence": self.sentence,
            "parameters": parameters,
            "times": -1 if self.lasting else 1,
        }


_HTTP: Final = (
    Kind("http.status", "The handler does not run; this is the answer.", {"status": 500, **_ANSWER}),
    Kind("http.status_after", "The handler runs; this is the answer.", {"status": 504, **_ANSWER}),
    Kind(
        "http.hang",
        "The request waits before its handler, which runs even if the client has left, or its answer waits.",
        {"phase": ("before", "after"), "seconds": 1},
    ),
    Kind("http.reset", "The connection ends with RST and no answer.", {"phase": _PLACES}),
    Kind("http.close", "The connection ends with FIN and no answer.", {"phase": _PLACES}),
    Kind(
        "http.truncate",
        "The connection ends after so many bytes of the body.",
        {"bytes": 20, "framing": ("length", "chunked")},
    ),
    Kind("http.drip", "The body comes in small pieces.", {"bytes": 100, "every_s": 0.05}),
    Kind("http.body", "The handler runs; the client gets another body.", {"status": 200, **_ANSWER}),
    Kind(
        "http.redirect",
        "The handler runs; the client is sent elsewhere.",
        {"status": 302, "location": "/", **_ANSWER},
    ),
    Kind("http.latency", "Both ways take longer.", {"ms": 200, "jitter_ms": 0}),
    Kind("http.refuse", "From now on, and for so long, connections are refused.", {"seconds": 1}),
    Kind(
        "http.rate_limit",
        "Requests beyond a limit are answered 429, with `json`, `html`, `empty` or any other body.",
        {
            "limit": 0,
            "window_s": 60,
            "headers": ("none", "alpaca", "retry_after"),
            "body": "json",
            "content_type": "application/json",
        },
        lasting=True,
    ),
    Kind("http.auth", "Keys are refused, on the stream too.", {"status": 401, **_ANSWER}, lasting=True),
)

_ORDERS: Final = (
    Kind(
        "order.lookup_lag",
        "An accepted order cannot be found for so long.",
        {"seconds": 2, "scope": ("*", "id", "cid", "list")},
    ),
    Kind(
        "order.response_order",
        "The stream speaks before the answer to a submission, or after it, with a gap between.",
        {"events_first": True, "gap_ms": 50},
    ),
    Kind("order.ack_delay", "The venue acknowledges late.", {"seconds": 2}),
    Kind("order.async_reject", "Accepted, then rejected.", {"delay_s": 0, "reason": "rejected by the venue"}),
    Kind("order.late_accept", "Answered 503; the order enters later all the same.", {"delay_s": 2}),
    Kind(
        "order.stuck",
        "The order stays in a status until the fault is disarmed or the market next opens.",
        {"status": _STUCK, "until": ("cleared", "next_open")},
    ),
    Kind(
        "order.cancel_reject",
        "A cancel is asked for, then refused, and perhaps the order fills.",
        {"reason": "TOO_LATE_TO_CANCEL", "then_fill": False},
    ),
    Kind("order.fill_on_cancel", "A fill overtakes a cancel.", {"qty": "all"}),
    Kind(
        "order.fill_after_terminal",
        "An order that is over trades once more.",
        {"status": _ENDS, "qty": "all", "delay_s": 0},
    ),
    Kind("order.cancel_204_filled", "The cancel of a filled order is answered 204."),
    Kind("order.silent_cancel", "The order is canceled without an event.", {"delay_s": 0}),
    Kind(
        "order.replace_race",
        "A replace loses to a fill, fails but applies, is not told, or orders the full quantity again.",
        {"mode": ("filled_first", "error_but_applied", "silent", "full_qty")},
    ),
    Kind("order.cancel_all_partial", "So many items of a cancel-all report 500 and stay live.", {"fail": 1}),
    Kind(
        "order.restate",
        "The broker changes a new order's terms; half its quantity unless told what.",
        {"qty": None, "price": None, "reason": "RESTATED"},
    ),
    Kind(
        "order.unknown_status",
        "Orders show a status outside every list.",
        {"status": "levitating"},
        lasting=True,
    ),
    Kind("order.self_block", "A live client order id sent again is refused for buying power."),
)

_FILLS: Final = (
    Kind("fill.partial", "A fill becomes several executions.", {"slices": 2, "every_s": 0}),
    Kind("fill.same_ms", "Several executions in one millisecond, their activities shuffled.", {"n": 3}),
    Kind("fill.slippage", "The price is worse than the quote, but not than a limit.", {"bps": 50}),
    Kind("fill.starve", "The outside market offers no shares of the symbol.", {"seconds": 2}),
    Kind("fill.over", "More is executed than was ordered.", {"qty": "1"}),
    Kind("fill.bust", "An execution is undone.", {"delay_s": 0, "negative_qty": False}),
    Kind(
        "fill.correct",
        "An execution is restated, by a cent of price unless told how.",
        {"delay_s": 0, "price": None, "qty": None},
    ),
    Kind("fill.chain", "An execution is corrected so many times, each time the latest version.", {"n": 2}),
    Kind("fill.id_mismatch", "The stream names an execution differently than the activities."),
)

_STREAM: Final = (
    Kind(
        "ws.drop",
        "Connections end with a close code; 1006 ends without one.",
        {"code": (1006, 1000, 1011, 1012), "after_events": 0},
    ),
    Kind("ws.freeze", "Nothing is read, written or ponged.", {"seconds": 1}),
    Kind(
        "ws.mute", "Pings are answered; events are lost or held.", {"seconds": 1, "backlog": ("drop", "hold")}
    ),
    Kind("ws.lose", "Events reach no socket; `n` of them unless told how often.", {"n": 1}),
    Kind(
        "ws.duplicate",
        "An event is told again, under its event id or a new one.",
        {"copies": 1, "delay_s": 0, "new_event_id": False},
    ),
    Kind("ws.replay", "The last events are told again to the next who connects.", {"last": 10}),
    Kind(
        "ws.reorder",
        "Events come in another order.",
        {"window": 3, "mode": ("reverse", "shuffle", "new_after_fill")},
    ),
    Kind("ws.delay", "An event comes late.", {"seconds": 1, "jitter_s": 0}),
    Kind("ws.malformed", "A poison frame comes before the real one.", {"kind": _POISON}),
    Kind(
        "ws.unknown_event",
        "An event nobody knows comes before the real one.",
        {"event": "novelty", "fields": {}},
    ),
    Kind("ws.upgrade", "The next connection is refused by HTTP.", {"status": (429, 401, 503)}),
    Kind("ws.auth", "The handshake goes wrong.", {"mode": ("unauthorized", "hang", "event_first")}),
    Kind(
        "ws.one_connection",
        "A second connection is refused, or ends the first; a lost one keeps its slot for a while.",
        {"policy": ("refuse_new", "kick_old"), "reap_s": 90},
        lasting=True,
    ),
    Kind("ws.big_frame", "An event is padded beyond what a client takes.", {"bytes": 2_000_000}),
    Kind("sse.dropped", "Server-sent events are left out, and a comment says how many.", {"n": 2}),
    Kind("ws.position_lie", "The position told with a fill is wrong.", {"delta": 1}),
)

_READS: Final = (
    Kind("read.positions_lag", "Positions as they were so long ago.", {"seconds": 2}, lasting=True),
    Kind("read.account_lag", "The account as it was so long ago.", {"seconds": 2}, lasting=True),
    Kind("read.activities_lag", "Activities as they were so long ago.", {"seconds": 2}, lasting=True),
    Kind(
        "read.activities_gap",
        "Activities are missing from one answer, or from all for so long.",
        {"n": 1, "seconds": 0},
    ),
    Kind("read.list_gap", "Orders are missing from one list.", {"n": 1}),
    Kind("read.page_repeat", "A page begins with the last item of the one before."),
    Kind("data.stale", "Quotes and trades bear an old time.", {"symbol": "*", "seconds": 3600}, lasting=True),
    Kind("data.one_sided", "No quote on one side.", {"symbol": "*", "side": ("ask", "bid")}, lasting=True),
    Kind("data.crossed", "The bid is above the ask.", {"symbol": "*"}, lasting=True),
    Kind("data.outage", "Market data is not to be had.", {"status": 503}, lasting=True),
    Kind("clock.skew", "The server's times are shifted.", {"seconds": 5}, lasting=True),
    Kind("clock.step_back", "The times of one answer lie before those of the last.", {"seconds": 5}),
    Kind(
        "schema.future",
        "Fields are gone, fields and values nobody knows are there, everywhere.",
        {"remove": ["easy_to_borrow"], "add": {"novelty": "1"}, "enums": {}},
        lasting=True,
    ),
)

CATALOGUE: Final = MappingProxyType(
    {kind.name: kind for kind in (*_HTTP, *_ORDERS, *_FILLS, *_STREAM, *_READS)}
)
