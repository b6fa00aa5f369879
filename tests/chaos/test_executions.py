"""The tool's own reading of the ledger's executions, which shares nothing with the gateway's."""

from __future__ import annotations

from decimal import Decimal

from gateway.chaos.evidence import Event
from gateway.chaos.executions import executions_of
from tests.chaos.story import event, filled


def live(*events: Event) -> list[tuple[str, str, str]]:
    return [(each.name, str(each.qty), str(each.price)) for each in executions_of(events).live()]


def amended(position: int, topic: str, name: str, ref: str, second: int = 1, **terms: str) -> Event:
    facts = {"exec_id": name, "ref_exec_id": ref, "transact_time": f"2026-11-20T15:00:0{second}Z"}
    return event(position, "order-one", position, f"order.{topic}", **facts, **terms)


FILL = filled(1, "one", 1)


def test_a_busted_execution_does_not_count() -> None:
    assert live(FILL, amended(2, "fill_busted", "b", "e1")) == []


def test_a_corrected_execution_counts_as_corrected_under_its_new_name() -> None:
    corrected = amended(2, "fill_corrected", "c1", "e1", last_qty="8", last_px="6")
    assert live(FILL, corrected) == [("c1", "8", "6")]
    again = amended(3, "fill_corrected", "c2", "c1", 2, last_qty="7", last_px="7")
    assert live(FILL, corrected, again) == [("c2", "7", "7")]
    assert live(FILL, corrected, again, amended(4, "fill_busted", "b", "c2", 3)) == []


def test_an_older_correction_that_comes_late_does_not_count() -> None:
    newer = amended(2, "fill_corrected", "c2", "e1", 2, last_qty="7", last_px="7")
    older = amended(3, "fill_corrected", "c1", "e1", 1, last_qty="8", last_px="6")
    assert live(FILL, newer, older) == [("c2", "7", "7")]


def test_a_parked_amendment_does_nothing_yet() -> None:
    parked = event(2, "order-one", 2, "order.fill_busted", ref_exec_id="e1", exec_id="b", parked=True)
    assert live(FILL, parked) == [("e1", "10", "5")]


def test_superseded_shares_are_gone_and_the_rest_has_its_price() -> None:
    inferred = filled(1, "one", 1, exec_id="syn", provisional=True)
    part = event(2, "order-one", 2, "order.fill_superseded", exec_id="syn", qty="4", rest_px="5.5")
    assert live(inferred, part) == [("syn", "6", "5.5")]
    rest = event(3, "order-one", 3, "order.fill_superseded", exec_id="syn", qty="6")
    assert live(inferred, part, rest) == []


def test_an_execution_may_be_amended_under_its_other_name() -> None:
    other = event(2, "order-one", 2, "order.conflict_reported", exec_id="x1", alias_of="e1", reason="twin")
    assert live(FILL, other, amended(3, "fill_busted", "b", "x1")) == []


def test_a_sale_is_negative() -> None:
    (sold,) = executions_of(
        [event(1, "order-one", 1, "order.filled", **{**FILL.data, "side": "sell"})]
    ).live()
    assert sold.shares == Decimal(-10)
