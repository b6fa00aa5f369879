"""The exchange survives its own restart, kill -9 included."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from requests import RequestException

from gateway.paper.clock import wall
from gateway.paper.facts import Funded
from gateway.paper.journal import Journal
from tests.kit.exchange import Exchange
from tests.paper.listener import listening
from tests.paper.tickets import submit


def client_of(exchange: Exchange) -> TradingClient:
    client = TradingClient(exchange.key, exchange.secret, url_override=exchange.url, raw_data=True)
    client._retry = 0
    return client


def test_a_kill_loses_nothing_that_was_answered(own_exchange: Exchange) -> None:
    client = client_of(own_exchange)
    own_exchange.price("AAPL", "9.98", "10", ask_size="140")
    submit(client, client_order_id="filled")
    resting = submit(client, client_order_id="partly")
    canceled = submit(client, limit_price="9")
    client.cancel_order_by_id(canceled["id"])
    first = own_exchange.truth()["executions"]["live"][0]
    own_exchange.ctl("POST", f"executions/{first['id']}/bust", {})
    before = own_exchange.truth()

    own_exchange.kill()
    own_exchange.restart()

    assert own_exchange.truth() == before
    client = client_of(own_exchange)
    own_exchange.price("AAPL", "9.98", "10")
    assert client.get_order_by_id(resting["id"])["status"] == "filled"
    ids = [e["id"] for kind in own_exchange.truth()["executions"].values() for e in kind]
    assert len(ids) == len(set(ids)) == 3


def test_what_a_kill_interrupted_is_finished_after_the_restart(own_exchange: Exchange) -> None:
    client = client_of(own_exchange)
    for status in ("pending_new", "pending_cancel"):
        own_exchange.arm("order.stuck", status=status)
    unacknowledged = submit(client)
    canceling = submit(client, symbol="IBM")
    client.cancel_order_by_id(canceling["id"])
    own_exchange.kill()
    own_exchange.restart()
    assert client.get_order_by_id(unacknowledged["id"])["status"] == "new"
    assert client.get_order_by_id(canceling["id"])["status"] == "canceled"


def test_orders_answered_in_the_moment_of_the_kill_are_all_there(own_exchange: Exchange) -> None:
    answered: list[str] = []

    def send() -> None:
        client = client_of(own_exchange)
        try:
            while True:
                answered.append(submit(client, qty="1")["id"])
        except (RequestException, APIError):
            return

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(answered) < 50:
        threads[0].join(0.01)
    own_exchange.kill()
    for thread in threads:
        thread.join()
    own_exchange.restart()
    assert set(answered) <= {order["id"] for order in own_exchange.truth()["orders"]}


def test_a_manual_clock_stays_where_it_was(own_exchange: Exchange) -> None:
    own_exchange.ctl("POST", "clock", {"mode": "manual", "now": "2026-11-20T15:00:00Z"})
    own_exchange.ctl("POST", "clock/advance", {"seconds": 90})
    own_exchange.kill()
    own_exchange.restart()
    assert own_exchange.ctl("GET", "clock")["now"] == "2026-11-20T15:01:30.000000Z"


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    fact = Funded(at=wall(), account="PA1", cash=Decimal(5))
    journal.append([fact])
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'[{"type":"Funded","at":"2026')
    again = Journal(tmp_path)
    assert list(again.read()) == [fact]
    again.append([fact])
    assert list(again.read()) == [fact, fact]
    again.close()


def test_an_interrupt_ends_it_cleanly_even_with_a_listener(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.paper", "--source", "synthetic", "--directory", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    exchange = Exchange(tmp_path, url=process.stdout.readline().split()[-1])
    with listening(exchange):
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")


def test_the_journal_can_be_read_as_a_list_of_turns(exchange: Exchange) -> None:
    submit(client_of(exchange))
    turns: list[list[Any]] = exchange.ctl("GET", "journal")
    assert [[fact["type"] for fact in turn] for turn in turns] == [["Opened", "Fed"], ["Accepted", "Moved"]]
