"""Scenes of what takes its time: a large order in slices, and a position that is closed by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from gateway.client.answers.orders import OrderDetail
from gateway.demo.callers import until
from gateway.demo.play import DONE, Play

SLICED: Final = "demo-sliced"
_SLICES: Final = 12
_SHARES: Final = 5
_INTERVAL_SECONDS: Final = 5
_WANTED: Final = 3


def plan(play: Play) -> None:
    play.show.scene("A large order goes out in slices")
    made = play.momentum.slice_order(
        symbol="IBM",
        side="buy",
        qty=_SLICES * _SHARES,
        duration_minutes=1,
        interval_seconds=_INTERVAL_SECONDS,
        strategy_id=play.momentum.strategy,
        client_order_id=SLICED,
    )
    play.show.say(
        f"momentum buys {made.total_qty} IBM within a minute: {made.total_slices} slices of {_SHARES},"
        f" one every {made.interval_seconds} s. The first goes at once; the others while the play goes on."
    )
    first = until(lambda: _released(play), within=20, what="the first slice")
    play.operator.wait_for(first[0].client_order_id, "filled")
    repeated = play.momentum.list_slices(SLICED)
    play.show.prove(
        len(repeated) == _SLICES, "the plan stands in the ledger as a whole, the rest waits its time"
    )


def slices(play: Play) -> None:
    """After the gateway was killed in the middle of the plan."""
    play.show.scene("The slices went on through all this")
    until(lambda: len(_released(play)) >= _WANTED, within=30, what=f"{_WANTED} slices to be released")
    canceled = play.momentum.cancel_slices(SLICED).db_canceled
    until(lambda: len(_released(play)) == _SLICES - canceled, within=20, what="the last slice under way")
    gone = _released(play)
    for order in gone:
        play.operator.wait_for(order.client_order_id, "filled")
    late = max(_late(order) for order in gone)
    play.show.say(f"{len(gone)} were released, the latest {late:.1f} s after its time: the gateway was dead.")
    once = all(play.exchange.submissions(order.client_order_id) == 1 for order in gone)
    play.show.prove(once, "each of them once, kill -9 or not")
    ended = [order.status for order in play.operator.list_slices(SLICED)].count("canceled")
    play.show.prove(ended == canceled, f"the other {canceled} are canceled before their time")
    parent = play.operator.wait_for(SLICED, *DONE)
    play.show.prove(
        parent.filled_qty == len(gone) * _SHARES,
        f"the parent is {parent.status}, with {parent.filled_qty} filled",
    )


def _released(play: Play) -> list[OrderDetail]:
    play.catch_up()
    return [order for order in play.operator.list_slices(SLICED) if order.submitted_at is not None]


def _late(order: OrderDetail) -> float:
    assert order.submitted_at is not None
    assert order.scheduled_time is not None
    return (order.submitted_at - order.scheduled_time) / timedelta(seconds=1)


def close(play: Play) -> None:
    play.show.scene("A position is closed by hand")
    held = play.positions()["MSFT"]
    closed = play.operator.close_position(
        "MSFT", reason="nobody wants it over the weekend", requested_by=play.operator.name
    )
    assert closed.order_id is not None
    play.show.say(f"{play.operator.name} closes {held.qty} MSFT: “{closed.message}”.")
    order = play.operator.wait_for(closed.order_id, "filled", within=30)
    play.show.prove(
        order.filled_qty == held.qty and "MSFT" not in play.positions(),
        f"sold for {order.strategy_id}, to whom it belonged; nothing is left",
    )
