"""Scenes of an ordinary day: orders that fill, orders that are refused, an operator who stops it all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from gateway.demo.play import CENT, DONE, POSITION_LIMIT, Play

DIME: Final = Decimal("0.10")
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
        play.operator.wait_for(order, "filled")
    show.say("Both sell some of it again; momentum puts a stop under its IBM, a few cents below the market.")
    play.exchange.arm("fill.partial", match={"symbol": "AAPL"}, slices=2)
    stop_price = play.quote("IBM")[0] - 3 * CENT
    sales = [
        momentum.place("sell", aapl // 2, "AAPL"),
        reversion.place("sell", 100, "MSFT"),
        momentum.place("sell", 100, "IBM", order_type="stop", stop_price=stop_price),
    ]
    for order in sales:
        play.operator.wait_for(order, "filled", within=30)
    orders += sales
    play.show_orders("", orders)
    executions = sum(len(play.executions_of(order)) for order in orders)
    show.prove(
        executions > len(orders), f"{len(orders)} orders filled in {executions} executions: some in parts"
    )


def retry(play: Play) -> None:
    play.show.scene("A retry is recognised")
    play.show.say("momentum did not hear the answer and sends the same order again, twice.")
    first = play.momentum.submit("buy", 10, "AAPL")
    again = [play.momentum.submit("buy", 10, "AAPL") for _ in range(2)]
    order = first.body["client_order_id"]
    same = all(answer.status == 200 and answer.body["client_order_id"] == order for answer in again)
    play.show.prove(same, f"200 both times, “{again[0].body['message']}”: {order}")
    play.show.prove(play.exchange.submissions(order) == 1, "the exchange has seen it once")
    play.operator.wait_for(order, "filled")


def fat_finger(play: Play) -> None:
    play.show.scene("A fat finger is refused")
    _, ask = play.quote("MSFT")
    slipped = ask * 100
    play.show.say(f"reversion types {slipped} for {ask}: the decimal point has slipped.")
    answer = play.reversion.submit(
        "buy", 100, "MSFT", order_type="limit", limit_price=slipped, client_order_id=SLIPPED
    )
    play.show.say(f"→ {answer}")
    play.show.prove(answer.code == "fat_finger_rejected", "refused, by name and with the numbers")
    play.show.prove(_left_no_order(play, SLIPPED), "no order exists, and the exchange has seen nothing")


def position_limit(play: Play) -> None:
    play.show.scene("The position limit counts what is still working")
    held = int(Decimal(play.positions()["MSFT"]["qty"]))
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
    answer = play.reversion.submit("buy", 200, "MSFT")
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
    canceled = play.momentum.cancel(RACE)
    play.show.say(
        f"momentum cancels 100 IBM: “{canceled['message']}”. 40 trade before the cancel gets there."
    )
    order = play.operator.wait_for(RACE, *DONE)
    play.wait_for_fills_of(RACE)
    order = play.operator.order(RACE)
    play.show.prove(
        (order["status"], order["filled_qty"], order["leaves_qty"]) == ("canceled", "40", "0"),
        "both count: canceled, with 40 filled and nothing left to fill",
    )


def kill_switch(play: Play) -> None:
    play.show.scene("The kill switch")
    reason = "prices look wrong"
    play.operator.post("/api/v1/kill-switch/engage", {"reason": reason, "operator": play.operator.name})
    play.show.say(f"{play.operator.name} engages it: “{reason}”. momentum tries to buy 10 IBM.")
    refused = play.momentum.submit("buy", 10, "IBM", client_order_id=STOPPED)
    play.show.say(f"→ {refused}")
    stopped = refused.code == "kill_switch_engaged" and _left_no_order(play, STOPPED)
    play.show.prove(stopped, "refused: no order exists, and the exchange has seen nothing")
    play.reversion.cancel(RESTING)
    order = play.operator.wait_for(RESTING, *DONE)
    play.show.prove(order["status"] == "canceled", "a cancel still passes: reversion's resting bid is gone")
    notes = {"operator": play.operator.name, "notes": "prices are right again"}
    play.operator.post("/api/v1/kill-switch/disengage", notes)
    passed = play.momentum.submit("buy", 10, "IBM", client_order_id=STOPPED)
    play.show.prove(passed.status == 200, "disengaged: the same order now passes")
    play.operator.wait_for(STOPPED, "filled")


def why_blocked(play: Play) -> None:
    play.show.scene("Why was this order blocked?")
    refusals = list(play.operator.events(topic="order.refused"))
    switched = list(play.operator.events(topic="kill_switch."))
    story = sorted(refusals + switched, key=lambda event: int(event["position"]))
    rows = [(event["position"], *_told(event)) for event in story]
    play.show.table("The ledger remembers", ("position", "what", "who", "why"), rows)
    named = [event["data"]["gate"] for event in refusals if event["client_order_id"] == STOPPED]
    play.show.prove(
        named == ["kill_switch_engaged"], f"{STOPPED} was stopped by the kill switch, and that is on record"
    )


def _left_no_order(play: Play, client_order_id: str) -> bool:
    asked = play.operator.ask("GET", f"/api/v1/orders/{client_order_id}")
    return asked.status == 404 and play.exchange.submissions(client_order_id) == 0


def _told(event: Any) -> tuple[object, object, object]:
    """What happened, who did it and why, of a refusal or of the switch."""
    facts = event["data"]
    why = facts.get("detail") or facts.get("reason") or facts.get("notes")
    return event["topic"], event["actor"]["sub"], why
