"""Evidence as it is read off the running servers, once everything has come to rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from gateway.chaos.evidence import Broker, Event, Request, Tables
from gateway.chaos.exchange import Exchange

_EVENTS: Final = """
    select position, stream, version, topic, body, recorded_at, command_id
      from ledger.events order by position
"""
_LIVE: Final = "select name, table_name from read.projection"


def read_events(database: str) -> list[Event]:
    """The whole ledger, in order."""
    with psycopg.connect(database) as connection:
        return [_event(*row) for row in connection.execute(_EVENTS)]


def _event(
    position: int, stream: str, version: int, topic: str, body: bytes, recorded_at: datetime, command_id: str
) -> Event:
    return Event(
        position=position,
        stream=stream,
        version=version,
        topic=topic.rpartition(".v")[0],
        data=json.loads(body, parse_float=Decimal),
        recorded_at=recorded_at,
        command_id=command_id,
    )


def read_tables(database: str, proofs: Iterable[Mapping[str, Any]]) -> Tables:
    """The tables that answer now."""
    with psycopg.connect(database, row_factory=dict_row) as connection:
        names = {row["name"]: str(row["table_name"]) for row in connection.execute(_LIVE)}

        def rows(name: str) -> list[dict[str, Any]]:
            table = sql.SQL("select * from {}").format(sql.Identifier(*_qualified(names[name])))
            return list(connection.execute(table))

        return Tables(
            orders={str(row["client_order_id"]): row for row in rows("orders")},
            positions={str(row["symbol"]): row for row in rows("positions")},
            strategy_positions=rows("strategy_positions"),
            open_breaks=[row for row in rows("breaks") if row["status"] == "open"],
            proofs=list(proofs),
        )


def _qualified(name: str) -> tuple[str, str]:
    schema, _, table = name.rpartition(".")
    return schema or "read", table


@dataclass(slots=True)
class Witness:
    """Keeps what the exchange would forget: its log of requests does not outlive its process."""

    exchange: Exchange
    requests: list[Request] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    """How often each fault has struck."""
    _seen: int = 0

    def listen(self) -> None:
        """Take down what has been asked since the last time."""
        for each in self.exchange.ask("GET", f"/_ctl/requests?after={self._seen}"):
            self._seen = max(self._seen, each["number"])
            if each["method"] == "POST":
                self.requests.append(_request(each))

    def count_hits(self) -> None:
        """Once for every set of armed faults, before it is gone."""
        for fault in self.exchange.ask("GET", "/_ctl/faults")["armed"]:
            self.hits[fault["name"]] += fault["hits"]

    def part(self) -> None:
        """Before the process is gone; the next one counts from one."""
        self.listen()
        self.count_hits()
        self._seen = 0

    def read(self, starting_cash: Decimal) -> Broker:
        self.listen()
        truth = self.exchange.ask("GET", "/_ctl/truth")
        (account,) = truth["accounts"].values()
        return Broker(
            orders=truth["orders"],
            executions=truth["executions"]["live"],
            positions={each["symbol"]: Decimal(each["qty"]) for each in account["positions"]},
            cash=Decimal(account["cash"]),
            requests=self.requests,
            starting_cash=starting_cash,
        )


def _request(entry: Mapping[str, Any]) -> Request:
    return Request(
        method=entry["method"],
        path=entry["path"],
        body=entry["body"],
        received_at=datetime.fromisoformat(entry["received_at"]),
    )
