"""Alpaca's payloads read tolerantly: unknown is kept, absent is None, unreadable is Unparsable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.adapters.alpaca_reports import Unparsable, interpret, parse_activity, parse_order, parse_position
from gateway.aggregates.reports import ReportKind
from gateway.aggregates.vocabulary import OrdStatus, OrdType, ReportSource, Side, TimeInForce
from tests.adapters.said import activity, fill, order, without
from tests.kit.covers import covers

STREAM = ReportSource.STREAM


def said(body: Any) -> bytes:
    return json.dumps(body).encode()


def test_a_fill_is_this_execution_and_the_order_after_it() -> None:
    report = interpret(said(fill()), STREAM)
    assert (report.kind, report.event, report.source) == (ReportKind.TRADE, "partial_fill", STREAM)
    assert (report.last_qty, report.last_px, report.cum_qty) == (Decimal(40), Decimal("100.25"), Decimal(40))
    assert report.exec_id == "2f63ea93-423d-4169-b3f6-3fdafc10c418"
    assert report.position_qty == 140
    assert report.event_id == "01JD5ZK3T0Q8M4N7V2X9YB6C1D"
    assert report.transact_time == datetime(2026, 11, 20, 15, 0, 0, 120001, tzinfo=UTC)
    assert report.order is not None
    assert report.order.status is OrdStatus.PARTIALLY_FILLED
    assert (report.client_order_id, report.order_id) == ("ord-7f2c", order()["id"])


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda data: data, id="flat"),
        pytest.param(lambda data: {"event": "ignored", "data": data}, id="enveloped, the inner event wins"),
        pytest.param(
            lambda data: {"event": data["event"], "data": {**data, "event": None}},
            id="enveloped, outer event",
        ),
        pytest.param(lambda data: {"order": order(id="outer"), "data": data}, id="the innermost order wins"),
        pytest.param(lambda data: {**data, "order": {"order": data["order"]}}, id="an order within an order"),
    ],
)
def test_every_shape_of_a_body_is_the_same_report(shape: Any) -> None:
    assert interpret(said(shape(fill()["data"])), STREAM) == interpret(said(fill()), STREAM)


@covers("BI:B-58", "FC:B-24", "FC:B-25")
@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("new", ReportKind.STATUS),
        ("accepted", ReportKind.STATUS),
        ("pending_cancel", ReportKind.STATUS),
        ("canceled", ReportKind.STATUS),
        ("replaced", ReportKind.STATUS),
        ("held", ReportKind.STATUS),
        ("restated", ReportKind.STATUS),
        ("fill", ReportKind.TRADE),
        ("trade_bust", ReportKind.BUST),
        ("trade_correct", ReportKind.CORRECT),
        ("order_cancel_rejected", ReportKind.CANCEL_REJECTED),
        ("order_replace_rejected", ReportKind.REPLACE_REJECTED),
        ("teleported", ReportKind.UNKNOWN),
    ],
)
def test_every_event_has_its_kind_and_a_new_one_is_kept_as_unknown(event: str, kind: ReportKind) -> None:
    report = interpret(said(fill(event=event)), STREAM)
    assert (report.kind, report.event) == (kind, event)


def test_a_bust_names_the_execution_it_undoes_whatever_its_sign() -> None:
    report = interpret(
        said(fill(event="trade_bust", qty="-40", previous_execution_id="first", reason="TRADE_BUST")), STREAM
    )
    assert (report.last_qty, report.ref_exec_id, report.reason) == (Decimal(40), "first", "TRADE_BUST")


def test_a_relay_may_send_a_few_fields_only() -> None:
    body = {"event": "fill", "order": {"id": "o-1", "filled_qty": "5"}, "price": 10.5, "qty": 5}
    report = interpret(said(body), ReportSource.WEBHOOK)
    assert (report.order_id, report.client_order_id, report.order) == ("o-1", None, None)
    assert (report.last_px, report.last_qty, report.cum_qty) == (Decimal("10.5"), Decimal(5), Decimal(5))
    assert report.exec_id is None


@covers("FC:B-19")
def test_a_json_number_is_read_from_its_text() -> None:
    body = b'{"event":"fill","order":{"id":"o-1"},"price":0.1000000000000000055,"qty":3}'
    assert interpret(body, STREAM).last_px == Decimal("0.1000000000000000055")


def test_the_time_of_a_report_is_the_events_else_the_orders_and_never_ours() -> None:
    event = fill(timestamp=None, at=None)
    assert interpret(said(event), STREAM).transact_time == datetime(
        2026, 11, 20, 15, 0, 0, 668464, tzinfo=UTC
    )
    event["data"]["order"] = without(event["data"]["order"], "updated_at")
    assert interpret(said(event), STREAM).transact_time is None


def test_an_empty_execution_id_is_none() -> None:
    assert interpret(said(fill(execution_id="")), STREAM).exec_id is None


def test_a_bare_order_is_a_report_of_its_status() -> None:
    report = interpret(said(order(status="accepted")), ReportSource.REPLY)
    assert (report.kind, report.event, report.last_qty) == (ReportKind.STATUS, "accepted", None)
    assert report.order is not None


def test_an_activity_names_its_order_by_the_brokers_id_and_its_execution_by_the_suffix() -> None:
    report = interpret(said(activity(side="sell_short")), ReportSource.ACTIVITY)
    assert (report.kind, report.client_order_id) == (ReportKind.TRADE, None)
    assert report.exec_id == "2f63ea93-423d-4169-b3f6-3fdafc10c418"
    assert report.event_id == "20261120100000120::2f63ea93-423d-4169-b3f6-3fdafc10c418"
    assert report.side is Side.SELL
    assert (report.last_qty, report.last_px, report.cum_qty) == (Decimal(40), Decimal("100.25"), Decimal(40))


def test_an_activity_that_is_no_plain_fill_has_no_effect_of_its_own() -> None:
    assert parse_activity(activity(qty="-40")).kind is ReportKind.UNKNOWN
    assert parse_activity(activity(activity_type="FEE")).kind is ReportKind.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"fill"',
        b"{",
        b"\xff\xfe",
        b'{"event": NaN}',
        b"[" * 100_000,
        said({}),
        said({"event": "fill"}),
        said({"event": "fill", "order": None}),
        said({"event": "fill", "order": []}),
        said({"event": "fill", "order": {"id": ""}}),
        said({"event": None, "order": {"id": "o-1"}}),
        said(fill(qty="lots")),
        said(fill(qty=True)),
        said(fill(qty={"value": 1})),
        said(fill(price="NaN")),
        said(fill(price="Infinity")),
        said(fill(price="1e40")),
        said(fill(position_qty="1" * 30)),
        said(activity(qty=None)),
        said(activity(id=None)),
        said(activity(order_id=None)),
    ],
)
def test_what_names_no_fact_is_unparsable_and_nothing_else(body: bytes) -> None:
    with pytest.raises(Unparsable):
        interpret(body, STREAM)


JUNK = [
    None,
    True,
    0,
    -7,
    1.5,
    "",
    "x",
    "NaN",
    "1e400",
    "0001-01-01T00:00:00+23:59",
    [],
    [1],
    {},
    {"order": 1},
]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_no_value_of_any_field_raises_anything_but_unparsable(junk: Any) -> None:
    bodies = [
        *({name: junk} for name in ("event", "data", "order", "activity_type")),
        *(fill(**{name: junk}) for name in fill()["data"]),
        *(fill(order=order(**{name: junk})) for name in order()),
        *(order(**{name: junk}) for name in order()),
        *(activity(**{name: junk}) for name in activity()),
    ]
    read = 0
    for body in bodies:
        try:
            interpret(said(body), STREAM)
            read += 1
        except Unparsable:
            continue
    assert read > 40, "most fields are not needed"


def test_an_unknown_status_type_and_time_in_force_are_kept_without_a_meaning() -> None:
    parsed = parse_order(order(status="accepted_for_fun", type="pegged", time_in_force="gtx"))
    assert (parsed.broker_status, parsed.status) == ("accepted_for_fun", None)
    assert (parsed.ord_type, parsed.time_in_force) == (OrdType.OTHER, TimeInForce.OTHER)


@pytest.mark.parametrize("ours", ["submitted", "failed", "not_accepted", "blocked_kill_switch", "dry_run"])
def test_the_broker_cannot_say_our_own_words(ours: str) -> None:
    assert parse_order(order(status=ours)).status is None


def test_an_order_needs_only_what_names_it() -> None:
    few = {name: order()[name] for name in ("id", "client_order_id", "symbol", "side", "status")}
    parsed = parse_order(few)
    assert (parsed.qty, parsed.filled_qty, parsed.filled_avg_px) == (None, Decimal(0), None)


@pytest.mark.parametrize("name", ["id", "client_order_id", "symbol", "side", "status"])
def test_an_order_without_a_name_of_its_own_is_unparsable(name: str) -> None:
    with pytest.raises(Unparsable):
        parse_order(without(order(), name, "position_intent"))


def test_the_side_of_an_order_may_stand_in_its_intent() -> None:
    assert parse_order(order(side="", position_intent="sell_to_close")).side is Side.SELL


def test_fields_of_the_future_are_ignored() -> None:
    assert parse_order(order(quantum_state={"spin": "up"})) == parse_order(order())


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert parse_order(order()).submitted_at == datetime(2026, 11, 20, 15, 0, 0, 577215, tzinfo=UTC)


def test_a_short_position_is_negative_however_it_is_written() -> None:
    for qty in ("40", "-40"):
        raw = {"symbol": "AAPL", "qty": qty, "side": "short", "avg_entry_price": "1"}
        assert parse_position(raw).qty == -40


@pytest.mark.parametrize(
    ("name", "digits"), [("price", "10." + "1" * 300), ("qty", "1" + "0" * 18 + "." + "1" * 22)]
)
def test_a_number_of_more_digits_than_any_price_has_is_unparsable(name: str, digits: str) -> None:
    with pytest.raises(Unparsable, match=name):
        interpret(said({**fill()["data"], name: digits}), STREAM)


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "\udfff"])
def test_what_no_database_can_store_is_replaced_and_the_fact_is_kept(odd: str) -> None:
    body = fill()["data"] | {"execution_id": f"e{odd}1", "reason": f"no{odd}pe"}
    report = interpret(said(body), STREAM)
    assert (report.exec_id, report.reason) == ("e\ufffd1", "no\ufffdpe")


@pytest.mark.parametrize(
    "body",
    [
        {**fill()["data"], "execution_id": "e" * 129},
        {**fill()["data"], "order": order(client_order_id="c" * 129)},
        {**fill()["data"], "order": order(id="o" * 129)},
        {**fill()["data"], "order": order(symbol="S" * 129)},
    ],
)
def test_a_name_no_index_could_hold_is_unparsable(body: dict[str, Any]) -> None:
    with pytest.raises(Unparsable, match="longer than 128"):
        interpret(said(body), STREAM)


def test_a_name_of_128_characters_is_a_name() -> None:
    report = interpret(said({**fill()["data"], "execution_id": "e" * 128}), STREAM)
    assert report.exec_id == "e" * 128
