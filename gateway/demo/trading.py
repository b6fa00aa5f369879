"""Scenes of an ordinary day: orders that fill, orders that are refused, an operator who stops it all."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gateway.client import NotFound
from gateway.client.answers.ledger import Event
from gateway.client.answers.orders import OrderResponse
from gateway.demo.callers import DemoFailed
from gateway.demo.play import CENT, DONE, POSITION_LIMIT, Play

_STOPS: Final = 10
DIME: Final = Decimal("0.10")
REPEATED: Final = "demo-repeated"
SLIPPED: Final = "demo-slipped-point"
RACE: Final = "demo-race"
RESTING: Final = "demo-resting"
STOPPED: Final = "demo-stopped"


def session(play: Play) -> None:
    play.show.scene("Two strategies trade on recorded prices")
    momentum, reversion, show = play.momentum, play.reversion, play.show
    show.say(
        "momentum buys AAPL and IBM at the market; reversion bids for MSFT and for some of the same AAPL."
    )
    play.exchange.arm("fill.partial", match={"symbol": "AAPL"}, slices=3)
    aapl = play.lot("AAPL", 400)
    orders = [
        momentum.place("buy", aapl, "AAPL"),
        momentum.place("buy", play.lot("IBM", 300), "IBM"),
        reversion.place(
            "buy",
            play.lot("MSFT", 600),
            "MSFT",
            order_type="limit",
            limit_price=play.quote("MSFT")[1] + DIME,
        ),
        reversion.place("buy", 100, "AAPL", order_type="limit", limit_price=play.quote("AAPL")[1] + 5 * DIME),
    ]
    for order in orders:
        play.operator.wait_for(order.client_order_id, "filled")
    show.say("Both sell some of it again; momentum puts a stop under its IBM, a few cents below the market.")
    play.exchange.arm("fill.partial", match={"symbol": "AAPL"}, slices=2)
    sales = [
        momentum.place("sell", aapl // 2, "AAPL"),
        reversion.place("sell", 100, "MSFT"),
        _stopped_out(play, "IBM", 100),
    ]
    for order in sales:
        play.operator.wait_for(order.client_order_id, "filled", within=30)
    names = [order.client_order_id for order in orders + sales]
    play.show_orders("", names)
    executions = sum(len(play.executions_of(name)) for name in names)
    show.prove(
        executions > len(names), f"{len(names)} orders filled in {executions} executions: some in parts"
    )


def _stopped_out(play: Play, symbol: str, qty: int) -> OrderResponse:
    """A stop that was reached; while the market climbs away from it, it is brought up behind."""
    for _ in range(_STOPS):
        price = play.quote(symbol)[0] - 3 * CENT
        stop = play.momentum.place("sell", qty, symbol, order_type="stop", stop_price=price)
        if play.operator.is_filled(stop.client_order_id, within=3):
            return stop
        play.momentum.cancel_order(stop.client_order_id)
        if play.operator.wait_for(stop.client_order_id, *DONE).status == "filled":
            return stop
    raise DemoFailed(f"no stop under {symbol} was reached")


def retry(play: Play) -> None:
    play.show.scene("A retry is recognised")
    play.show.say("momentum did not hear the answer and sends the same order again, twice.")
    first, *again = [play.momentum.place("buy", 10, "AAPL", client_order_id=REPEATED) for _ in range(3)]
    same = all(answer.broker_order_id == first.broker_order_id for answer in again)
    play.show.prove(same, f"the same order both times, “{again[0].message}”")
    play.show.prove(play.exchange.submissions(REPEATED) == 1, "the exchange has seen it once")
    play.operator.wait_for(REPEATED, "filled")


def fat_finger(play: Play) -> None:
    play.show.scene("A fat finger is refused")
    _, ask = play.quote("MSFT")
    slipped = ask * 100
    play.show.say(f"reversion types {slipped} for {ask}: the decimal point has slipped.")
    answer = play.reversion.refused(
        "buy", 100, "MSFT", order_type="limit", limit_price=slipped, client_order_id=SLIPPED
    )
    play.show.say(f"→ {answer}")
    play.show.prove(answer.code == "fat_finger_rejected", "refused, by name and with the numbers")
    play.show.prove(_left_no_order(play, SLIPPED), "no order exists, and the exchange has seen nothing")


def position_limit(play: Play) -> None:
    play.show.scene("The position limit counts what is still working")
    held = int(play.positions()["MSFT"].qty)
    room = POSITION_LIMIT - 100 - held
    play.show.say(f"The account holds {held} MSFT; reversion lets a bid for {room} more rest far below.")
    play.reversion.place(
        "buy",
        room,
        "MSFT",
        order_type="limit",
        limit_price=play.below("MSFT", 50),
        client_order_id=RESTING,
    )
    play.show.say(f"Then it asks for 200 at the market: {held} + {room} + 200 = {POSITION_LIMIT + 100}.")
    answer = play.reversion.refused("buy", 200, "MSFT")
    play.show.say(f"→ {answer}")
    play.show.prove(
        answer.code == "position_limit_exceeded", f"refused: at most {POSITION_LIMIT} shares, worst case"
    )


def cancel_race(play: Play) -> None:
    play.show.scene("A cancel races a fill")
    play.exchange.arm("order.fill_on_cancel", match={"cid": RACE}, qty=40)
    play.momentum.place(
        "buy",
        100,
        "IBM",
        order_type="limit",
        limit_price=play.below("IBM", 5),
        client_order_id=RACE,
    )
    canceled = play.momentum.cancel_order(RACE)
    play.show.say(f"momentum cancels 100 IBM: “{canceled.message}”. 40 trade before the cancel gets there.")
    play.operator.wait_for(RACE, *DONE)
    play.wait_for_fills_of(RACE)
    order = play.operator.order_detail(RACE)
    play.show.prove(
        order.status == "canceled" and order.filled_qty == 40 and order.leaves_qty == 0,
        "both count: canceled, with 40 filled and nothing left to fill",
    )


def kill_switch(play: Play) -> None:
    play.show.scene("The kill switch")
    reason = "prices look wrong"
    play.operator.engage_kill_switch(reason=reason, operator=play.operator.name)
    play.show.say(f"{play.operator.name} engages it: “{reason}”. momentum tries to buy 10 IBM.")
    refused = play.momentum.refused("buy", 10, "IBM", client_order_id=STOPPED)
    play.show.say(f"→ {refused}")
    stopped = refused.code == "kill_switch_engaged" and _left_no_order(play, STOPPED)
    play.show.prove(stopped, "refused: no order exists, and the exchange has seen nothing")
    play.reversion.cancel_order(RESTING)
    order = play.operator.wait_for(RESTING, *DONE)
    play.show.prove(order.status == "canceled", "a cancel still passes: reversion's resting bid is gone")
    play.operator.disengage_kill_switch(operator=play.operator.name, notes="prices are right again")
    passed = play.momentum.place("buy", 10, "IBM", client_order_id=STOPPED)
    play.show.prove(passed.broker_order_id is not None, "disengaged: the same order now passes")
    play.operator.wait_for(STOPPED, "filled")


def why_blocked(play: Play) -> None:
    play.show.scene("Why was this order blocked?")
    refusals = list(play.operator.events(topic="order.refused"))
    switched = list(play.operator.events(topic="kill_switch."))
    story = sorted(refusals + switched, key=lambda event: event.position)
    rows = [(event.position, *_told(event)) for event in story]
    play.show.table("The ledger remembers", ("position", "what", "who", "why"), rows)
    named = [event.data["gate"] for event in refusals if event.client_order_id == STOPPED]
    play.show.prove(
        named == ["kill_switch_engaged"], f"{STOPPED} was stopped by the kill switch, and that is on record"
    )


def _left_no_order(play: Play, client_order_id: str) -> bool:
    try:
        play.operator.order_detail(client_order_id)
    except NotFound:
        return play.exchange.submissions(client_order_id) == 0
    return False


def _told(event: Event) -> tuple[object, object, object]:
    """What happened, who did it and why, of a refusal or of the switch."""
    facts = event.data
    why = facts.get("detail") or facts.get("reason") or facts.get("notes")
    return event.topic, event.actor.sub, why
