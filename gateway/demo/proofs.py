"""Scenes that prove: a rebuilt table, a clean reconciliation, a whole ledger."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Final

from gateway.demo.callers import DemoFailed
from gateway.demo.play import Play

_REBUILT: Final = ("orders", "positions")


def rebuild(play: Play) -> None:
    play.show.scene("A read table is rebuilt while orders flow")
    done, placed = threading.Event(), list[str]()

    def keep_trading() -> None:
        while not done.wait(0.2):
            order = play.reversion.place("buy", 1, "IBM", client_order_id=f"demo-flow-{len(placed)}")
            placed.append(order.client_order_id)

    flow = threading.Thread(target=keep_trading)
    flow.start()
    try:
        command = [sys.executable, "-m", "gateway", "rebuild", *_REBUILT]
        ended = subprocess.run(
            command, env=play.stage.environ, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        done.set()
        flow.join()
    play.show.say(f"$ gateway rebuild {' '.join(_REBUILT)}   ({len(placed)} orders placed meanwhile)")
    for line in ended.stdout.strip().splitlines():
        play.show.say(line)
    if ended.returncode:
        raise DemoFailed(f"the rebuild failed: {ended.stderr.strip()}")
    equal = ended.stdout.count(": equal") == len(_REBUILT)
    play.show.prove(equal and bool(placed), "every rebuilt table equals a fresh fold of the ledger")
    for order in placed:
        play.operator.wait_for(order, "filled")


def reconciliation(play: Play) -> None:
    play.show.scene("Reconciliation with the exchange")
    found = play.operator.run_reconciliation()
    play.show.say(f"→ {found.status}: {found.message}")
    play.show.prove(
        (found.status, found.breaks_open, found.orphans_found) == ("ok", 0, 0),
        "no breaks, no orphans: both sides hold the same orders and the same shares",
    )
    shadow = play.operator.run_reconciliation(shadow=True)
    play.show.prove(not shadow.shadow_reports, "a second, silent pass would write nothing")


def verify(play: Play) -> None:
    play.show.scene("The ledger is verified")
    report = play.operator.verify_ledger()
    rows = [(check.name, check.checked, "ok" if check.ok else "FAILED") for check in report.checks]
    play.show.table("", ("check", "looked at", ""), rows)
    play.show.prove(report.ok, f"{report.events_checked} events, {report.duration_ms} ms, all in order")
