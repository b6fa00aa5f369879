"""Scenes of what goes wrong: a broker that does not answer, a gateway that dies, a trade that is undone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gateway.client import NoAnswer
from gateway.client.answers.positions import Position
from gateway.demo.books import Books
from gateway.demo.callers import told, until
from gateway.demo.play import Play

UNANSWERED: Final = "demo-unanswered"
KILLED: Final = "demo-killed"
ASLEEP: Final = "demo-asleep"
_NEVER_SECONDS: Final = 8  # longer than the gateway waits for any answer


def broker_timeout(play: Play) -> None:
    play.show.scene("The broker takes an order and never answers")
    about = {"method": "POST", "cid": UNANSWERED}
    play.exchange.arm("http.hang", match=about, phase="after", seconds=_NEVER_SECONDS)
    play.exchange.arm("order.lookup_lag", match={"cid": UNANSWERED}, seconds=2)
    play.exchange.arm("ws.delay", match={"cid": UNANSWERED}, times=-1, seconds=4)
    began = time.monotonic()
    answer = play.momentum.place("buy", 20, "GOOG", client_order_id=UNANSWERED)
    waited = time.monotonic() - began
    play.show.say(f"momentum buys 20 GOOG. The gateway gives up waiting after {waited:.1f} s:")
    play.show.say(f"→ {told(answer)}")
    play.show.prove(
        answer.status == "submitted_unconfirmed", "nobody claims to know: the outcome stays unknown"
    )
    again = play.momentum.place("buy", 20, "GOOG", client_order_id=UNANSWERED)
    play.show.say(f"momentum tries again → {told(again)}")
    order = play.operator.wait_for(UNANSWERED, "filled", within=30)
    play.show.prove(order.filled_qty == 20, "found at the exchange and adopted, with its executions")
    play.show.prove(play.exchange.submissions(UNANSWERED) == 1, "one POST in all")
    play.exchange.disarm()


def kill_nine(play: Play) -> None:
    play.show.scene("kill -9 in the middle of an order")
    about = {"method": "POST", "cid": KILLED}
    play.momentum.place(
        "buy",
        30,
        "GOOG",
        order_type="limit",
        limit_price=play.below("GOOG", 5),
        client_order_id=ASLEEP,
    )
    play.exchange.arm("http.hang", match=about, phase="after", seconds=_NEVER_SECONDS)
    with ThreadPoolExecutor(max_workers=1) as aside:
        asked = aside.submit(play.reversion.place, "buy", 15, "GOOG", client_order_id=KILLED)
        there = until(lambda: play.exchange.order(KILLED), within=10, what="the order to reach the exchange")
        play.stage.kill_gateway()
        lost = isinstance(asked.exception(timeout=20), NoAnswer)
    play.show.say("reversion's order for 15 GOOG is at the exchange, its answer is not. kill -9.")
    play.show.prove(lost, "the caller got no answer: the connection broke")
    asleep = play.exchange.order(ASLEEP)
    assert asleep is not None
    play.exchange.ask("POST", f"/_ctl/orders/{asleep['id']}/fill", {})
    play.show.say("While the gateway is dead, the exchange also fills momentum's resting bid for 30 GOOG.")
    began = time.monotonic()
    play.stage.start_gateway()
    wait_for_gate(play)
    play.show.say(f"Started again; trading {time.monotonic() - began:.1f} s later.")
    order = play.operator.wait_for(KILLED, "filled", within=30)
    play.show.prove(
        order.broker_order_id == there["id"], "the interrupted order was found and adopted, not sent again"
    )
    order = play.operator.wait_for(ASLEEP, "filled", within=30)
    play.show.prove(order.filled_qty == 30, "what filled meanwhile is booked too")
    again = play.reversion.place("buy", 15, "GOOG", client_order_id=KILLED)
    play.show.prove(again.broker_order_id == there["id"], f"the caller's retry: “{again.message}”")
    play.show.prove(play.exchange.submissions(KILLED) == 1, "one POST in all; nothing lost, nothing doubled")


def wait_for_gate(play: Play) -> None:
    """Until a reconciliation pass of this process has opened the gate for new risk."""
    until(
        lambda: play.operator.reconciliation_status().gate == "open",
        within=30,
        what="the first reconciliation pass",
    )


def bust(play: Play) -> None:
    play.show.scene("The exchange undoes a trade")
    before, head = play.positions()["AAPL"], play.head()
    trades = Books.of(play.exchange.truth()).trades
    victim = next(trade for trade in trades if trade.symbol == "AAPL" and trade.shares < 0)
    play.show.say(f"It busts momentum's sale of {-victim.shares} AAPL at {victim.price}.")
    play.exchange.ask("POST", f"/_ctl/executions/{victim.execution_id}/bust", {})
    after = until(lambda: _restated(play, before), within=20, what="the bust to be booked")
    rows = [
        (word, each.qty, each.avg_entry_price, each.realized_pl)
        for word, each in (("before", before), ("after", after))
    ]
    play.show.table("", ("AAPL", "shares", "average price", "realized P&L"), rows)
    books = Books.of(play.exchange.truth()).holdings()["AAPL"]
    play.show.prove(
        (after.qty, after.realized_pl) == (books.qty, books.realized),
        "shares and P&L are what they are without that trade",
    )
    then = play.positions(as_of=head)["AAPL"]
    play.show.prove(
        then.realized_pl == before.realized_pl,
        f"asked as of position {head}, the ledger still tells what was known then",
    )


def _restated(play: Play, before: Position) -> Position | None:
    now = play.positions()["AAPL"]
    return now if now.qty != before.qty else None
