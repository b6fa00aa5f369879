"""The examination of the broker's account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from gateway.adapters.examine import Finding, examine_broker
from tests.kit.covers import covers

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Desk(HTTPServer):
    """A broker that answers two questions, and only with the right key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.clock: dict[str, Any] = {"timestamp": "2026-11-20T10:00:00.123456789-05:00", "is_open": True}
        self.account: dict[str, Any] = {
            "account_number": "PA3ABCDEF",
            "status": "ACTIVE",
            "trading_blocked": False,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Desk

    def do_GET(self) -> None:
        status = 200 if self.headers["APCA-API-SECRET-KEY"] == "right" else 403
        body = json.dumps(self.server.clock if self.path == "/v2/clock" else self.server.account).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it so)
        """Stay quiet."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    with Desk() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


async def complaints(
    url: str, *, secret: str = "right", paper: bool = True, now: datetime = NOW
) -> dict[str, Finding]:
    findings = await examine_broker(url, key="key", secret=secret, paper=paper, now=now)
    return {finding.subject: finding for finding in findings if not finding.ok}


async def test_an_active_paper_account_is_as_it_should_be(desk: Desk) -> None:
    assert await complaints(desk.url) == {}


@covers("SEC:S-09")
async def test_a_paper_account_is_not_taken_for_a_live_one(desk: Desk) -> None:
    found = await complaints(desk.url, paper=False)
    assert found["account"].message == "it is a paper account, configured is live"


@covers("SEC:S-09")
async def test_a_live_account_is_not_taken_for_a_paper_one(desk: Desk) -> None:
    desk.account["account_number"] = "912345678"
    assert (await complaints(desk.url)).keys() == {"account"}
    assert await complaints(desk.url, paper=False) == {}


async def test_wrong_keys_are_told_from_a_broker_that_is_away(desk: Desk) -> None:
    refused = await complaints(desk.url, secret="wrong")
    away = await complaints("http://127.0.0.1:1")
    assert "refuses the keys (403)" in refused["broker"].message
    assert "does not answer" in away["broker"].message


async def test_no_finding_repeats_a_secret(desk: Desk) -> None:
    assert "hunter2" not in str(await complaints(desk.url, secret="hunter2"))


async def test_a_clock_that_is_off_is_found(desk: Desk) -> None:
    found = await complaints(desk.url, now=NOW + timedelta(seconds=3))
    assert found["clock"].message == "our clock and the broker's differ by 2.9 s"


@pytest.mark.parametrize(("field", "value"), [("status", "ACCOUNT_CLOSED"), ("trading_blocked", True)])
async def test_an_account_that_will_not_trade_is_found(desk: Desk, field: str, value: object) -> None:
    desk.account[field] = value
    assert (await complaints(desk.url)).keys() == {"trading"}
