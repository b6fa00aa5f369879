"""What a venue can do to an order, each as the client or the listener sees it."""

from __future__ import annotations

from tests.paper.bench import Bench, shows


@shows("order.lookup_lag")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    bench.arm("order.lookup_lag", scope="list")
    order = bench.submit()
    assert bench.client.get_orders() == []
    assert bench.order(order)["status"] == "new"
    later(2)
    assert len(bench.client.get_orders()) == 1


@shows("order.response_order")
def _(bench: Bench) -> None:
    bench.arm("order.response_order", events_first=True, gap_ms=300)
    assert bench.took(bench.submit) > 0.3
    assert bench.listener.events(1) == ["new"]
    bench.arm("order.response_order", events_first=False, gap_ms=1000)
    bench.submit()
    assert bench.listener.is_silent(0.05), "the answer is here, the event is not"
    assert bench.listener.events(1) == ["new"]


@shows("order.ack_delay")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    bench.arm("order.ack_delay")
    order = bench.submit()
    assert bench.order(order)["status"] == "pending_new"
    later(2)
    assert bench.order(order)["status"] == "new"


@shows("order.async_reject")
def _(bench: Bench) -> None:
    bench.arm("order.async_reject")
    order = bench.submit()
    assert order["status"] == "pending_new"
    assert bench.listener.next()[0]["reason"] == "rejected by the venue"
    assert bench.order(order)["status"] == "rejected"


@shows("order.late_accept")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    bench.arm("order.late_accept")
    assert bench.refusal(client_order_id="ghost")[0] == 503
    later(2)
    assert bench.client.get_order_by_client_id("ghost")["status"] == "new"


@shows("order.stuck")
def _(bench: Bench) -> None:
    for status in ("pending_new", "pending_cancel", "pending_replace"):
        bench.arm("order.stuck", status=status)
    orders = [bench.submit(symbol=symbol) for symbol in ("AAPL", "IBM", "MSFT")]
    bench.cancel(orders[1])
    new = bench.client.patch(f"/orders/{orders[2]['id']}", {"limit_price": "9"})
    stuck = [bench.order(order)["status"] for order in (*orders, new)]
    assert stuck == ["pending_new", "pending_cancel", "pending_replace", "pending_new"]
    bench.armed.clear()
    bench.disarm()
    free = [bench.order(order)["status"] for order in (*orders, new)]
    assert free == ["new", "canceled", "replaced", "new"]


@shows("order.cancel_reject")
def _(bench: Bench) -> None:
    bench.arm("order.cancel_reject")
    order = bench.submit()
    bench.cancel(order)
    assert bench.listener.events(3) == ["new", "pending_cancel", "order_cancel_rejected"]
    assert bench.order(order)["status"] == "new"


@shows("order.fill_on_cancel")
def _(bench: Bench) -> None:
    bench.arm("order.fill_on_cancel", qty="40")
    order = bench.submit()
    bench.cancel(order)
    assert bench.listener.events(4) == ["new", "pending_cancel", "partial_fill", "canceled"]


@shows("order.fill_after_terminal")
def _(bench: Bench) -> None:
    bench.arm("order.fill_after_terminal", status="replaced", qty="40")
    old = bench.submit()
    bench.client.patch(f"/orders/{old['id']}", {"limit_price": "9"})
    told = bench.listener.next(5)
    assert [(u["event"], u["order"]["id"] == old["id"]) for u in told] == [
        ("new", True),
        ("pending_replace", True),
        ("replaced", True),
        ("partial_fill", True),
        ("new", False),
    ]
    assert bench.order(old)["status"] == "replaced"


@shows("order.cancel_204_filled")
def _(bench: Bench) -> None:
    order = bench.buy()
    bench.arm("order.cancel_204_filled")
    bench.cancel(order)
    assert bench.order(order)["status"] == "filled"


@shows("order.silent_cancel")
def _(bench: Bench) -> None:
    bench.arm("order.silent_cancel")
    order = bench.submit()
    assert bench.listener.events(1) == ["new"]
    assert bench.listener.is_silent()
    assert bench.order(order)["status"] == "canceled"


@shows("order.replace_race")
def _(bench: Bench) -> None:
    """One mode of it; the others have tests of their own."""
    bench.arm("order.replace_race", mode="filled_first")
    old = bench.submit()
    new = bench.client.patch(f"/orders/{old['id']}", {"limit_price": "9"})
    assert bench.listener.events(5) == [
        "new",
        "pending_replace",
        "fill",
        "order_replace_rejected",
        "rejected",
    ]
    assert (bench.order(old)["status"], bench.order(new)["status"]) == ("filled", "rejected")


@shows("order.cancel_all_partial")
def _(bench: Bench) -> None:
    for _ in range(2):
        bench.submit()
    bench.arm("order.cancel_all_partial")
    items = bench.client.delete("/orders")
    assert [item["status"] for item in items] == [500, 200]
    assert [order["status"] for order in bench.orders()] == ["new", "canceled"]


@shows("order.restate")
def _(bench: Bench) -> None:
    bench.arm("order.restate")
    order = bench.submit()
    bench.arm("order.restate", qty="70", price="9", reason="LESS")
    other = bench.submit()
    assert bench.listener.events(4) == ["new", "restated", "new", "restated"]
    assert bench.order(order)["qty"] == "50"
    assert (bench.order(other)["qty"], bench.order(other)["limit_price"]) == ("70", "9")


@shows("order.unknown_status")
def _(bench: Bench) -> None:
    bench.arm("order.unknown_status", match={"symbol": "AAPL"})
    odd, plain = bench.submit(), bench.submit(symbol="IBM")
    assert (odd["status"], plain["status"]) == ("levitating", "pending_new")
    assert [u["order"]["status"] for u in bench.listener.next(2)] == ["levitating", "new"]
    assert {order["status"] for order in bench.client.get_orders()} == {"levitating", "new"}


@shows("order.self_block")
def _(bench: Bench) -> None:
    bench.submit(client_order_id="mine")
    bench.arm("order.self_block")
    status, text = bench.refusal(client_order_id="mine")
    assert (status, "insufficient buying power" in text) == (403, True)
    assert "must be unique" in bench.refusal(client_order_id="mine")[1]


@shows("fill.partial")
def _(bench: Bench) -> None:
    bench.arm("fill.partial")
    bench.buy()
    assert [e["qty"] for e in bench.executions()] == ["50", "50"]


@shows("fill.same_ms")
def _(bench: Bench) -> None:
    bench.arm("fill.same_ms", n=8)
    bench.buy()
    assert [u["order"]["filled_qty"] for u in bench.listener.next(9)[1:]] == [
        "12",
        "24",
        "36",
        "48",
        "60",
        "72",
        "84",
        "100",
    ]
    fills = bench.fills()
    assert len({fill["transaction_time"] for fill in fills}) == 1
    assert [int(fill["cum_qty"]) for fill in fills] != sorted(int(fill["cum_qty"]) for fill in fills)
    paged = [row for token in ("", *(f["id"] for f in fills)) for row in _page(bench, token)]
    assert paged == fills


def _page(bench: Bench, token: str) -> list[object]:
    return bench.fills(page_size="1", **({"page_token": token} if token else {}))


@shows("fill.slippage")
def _(bench: Bench) -> None:
    bench.arm("fill.slippage", bps=100)
    assert bench.order(bench.buy(type="market", limit_price=None))["filled_avg_price"] == "10.1"
    bench.arm("fill.slippage", bps=100)
    assert bench.order(bench.buy(limit_price="10.05"))["filled_avg_price"] == "10.05"


@shows("fill.starve")
def _(bench: Bench) -> None:
    later = bench.by_hand()
    bench.arm("fill.starve")
    order = bench.buy()
    bench.offer(last="9.5", last_size="500")
    assert bench.order(order)["status"] == "new"
    later(2)
    assert bench.order(order)["status"] == "filled"


@shows("fill.over")
def _(bench: Bench) -> None:
    bench.arm("fill.over")
    assert bench.order(bench.buy())["filled_qty"] == "101"


@shows("fill.bust")
def _(bench: Bench) -> None:
    bench.arm("fill.bust")
    bench.buy()
    assert bench.listener.events(3) == ["new", "fill", "trade_bust"]
    assert bench.client.get_all_positions() == []


@shows("fill.correct")
def _(bench: Bench) -> None:
    bench.arm("fill.correct")
    bench.buy()
    assert bench.listener.events(3) == ["new", "fill", "trade_correct"]
    assert bench.fills()[0]["price"] == "10.01"


@shows("fill.chain")
def _(bench: Bench) -> None:
    bench.arm("fill.chain", n=3)
    bench.buy()
    told = bench.listener.next(5)[1:]
    assert [u["event"] for u in told] == ["fill", *["trade_correct"] * 3]
    assert [u["previous_execution_id"] for u in told[1:]] == [u["execution_id"] for u in told[:3]]
    assert [(e["price"], e["qty"]) for e in bench.executions()] == [("10.03", "100")]


@shows("fill.id_mismatch")
def _(bench: Bench) -> None:
    bench.arm("fill.id_mismatch")
    bench.buy()
    told = bench.listener.next(2)[1]["execution_id"]
    assert bench.fills()[0]["id"].partition("::")[2] != told
