"""What goes wrong: a fault of the exchange is armed, or a process is killed, put to sleep or restarted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.chaos.desk import Desk
from gateway.chaos.plan import Step

Terms = Mapping[str, Any]


def fault(desk: Desk, terms: Terms) -> None:
    status = desk.exchange.try_to("POST", "/_ctl/faults", dict(terms))
    if status >= 400:
        desk.counts[f"{terms['name']} (refused: {status})"] += 1


def kill_gateway(desk: Desk, terms: Terms) -> None:
    desk.stage.kill_gateway()
    desk.stage.start_gateway()


def sleep_gateway(desk: Desk, terms: Terms) -> None:
    with desk.stage.gateway_asleep():
        time.sleep(terms["seconds"])


def kill_database(desk: Desk, terms: Terms) -> None:
    desk.stage.database.kill()
    time.sleep(terms["seconds"] / 4)
    desk.stage.start_database()


def kill_redis(desk: Desk, terms: Terms) -> None:
    desk.stage.redis.kill()
    time.sleep(terms["seconds"] / 4)
    desk.stage.start_redis()


def restart_exchange(desk: Desk, terms: Terms) -> None:
    """kill -9; its armed faults and its log of requests are gone, its orders are not."""
    desk.witness.part()
    desk.stage.kill_exchange()
    desk.stage.start_exchange()


TROUBLE: Final[Mapping[str, Callable[[Desk, Terms], None]]] = {
    trouble.__name__: trouble
    for trouble in (fault, kill_gateway, sleep_gateway, kill_database, kill_redis, restart_exchange)
}


def cause(desk: Desk, step: Step) -> None:
    desk.counts[str(step.terms["name"]) if step.name == "fault" else step.name] += 1
    TROUBLE[step.name](desk, step.terms)
