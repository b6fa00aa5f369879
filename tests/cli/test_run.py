"""`gateway run`: a desk of real processes, started and stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx2

from gateway.cli.stage import free_port, is_free
from tests.kit.environment import bare
from tests.kit.terminal import PATIENCE_SECONDS, Terminal, terminal


def order_as_printed(shown: str) -> httpx2.Response:
    """Do what the printed curl would do."""
    (token,) = re.findall(r"TOKEN=(\S+)", shown)
    (url,) = re.findall(r"curl -s (\S+)", shown)
    (body,) = re.findall(r"-d '(.*)'", shown)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx2.post(url, content=body, headers=headers, timeout=30)


def flatten_as_documented(desk: Terminal, port: int) -> httpx2.Response:
    """From another shell, with a token and a second factor minted there."""
    token = said(desk, "token", "--sub", "alice", "--role", "operator", "--strategies", "alpha_baseline")
    body = {
        "reason": "leaving before the announcement",
        "requested_by": "alice",
        "requested_at": datetime.now(UTC).isoformat(),
        "id_token": said(desk, "id-token", "--sub", "alice"),
    }
    url = f"http://127.0.0.1:{port}/api/v1/positions/flatten-all"
    return httpx2.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def follow(desk: Terminal) -> str:
    """What another shell sees that knows nothing but the folder."""
    return said(desk, "follow", "--after", "0", "--topic", "order.filled", "-n", "1")


def said(desk: Terminal, *arguments: str) -> str:
    """What a command prints in another shell."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env=bare(GATEWAY_HOME=str(desk.folder / "home")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return done.stdout.strip()


def test_a_desk_stands_until_ctrl_c_and_leaves_nothing_running() -> None:
    port = free_port()
    home = {"GATEWAY_HOME": "home", "HTTP_PORT": str(port)}
    with terminal("run", "--source", "synthetic", **home) as desk:
        answer = order_as_printed(desk.read_until("Ctrl-C stops everything"))
        assert (answer.status_code, answer.json()["message"]) == (200, "Order submitted")
        assert "symbol=AAPL side=buy" in follow(desk)
        flattened = flatten_as_documented(desk, port)
        assert (flattened.status_code, flattened.json()["status"]) == (200, "flattening"), flattened.text
        assert desk.interrupt() == 130
        assert desk.processes_left == []
        assert is_free(port)


def test_a_desk_that_is_told_to_end_while_it_starts_leaves_nothing_running() -> None:
    with terminal("run", GATEWAY_HOME="home", HTTP_PORT=str(free_port())) as desk:
        desk.read_until("starting")
        time.sleep(1)
        assert desk.interrupt(signal.SIGTERM) == 130
        assert desk.processes_left == []


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with terminal("run", GATEWAY_HOME="home", HTTP_PORT=str(port)) as desk:
            assert desk.process.wait(PATIENCE_SECONDS) == 1
            assert f"port {port} is taken" in desk.shown
            assert desk.files_left == []


def test_a_second_desk_in_the_same_folder_is_refused_and_the_first_one_goes_on() -> None:
    """On another port it would share Postgres and Valkey, and stop them for both when it ends."""
    home = {"GATEWAY_HOME": "home"}
    with terminal("run", "--source", "synthetic", **home, HTTP_PORT=str(free_port())) as desk:
        shown = desk.read_until("Ctrl-C stops everything")
        second = subprocess.run(
            [sys.executable, "-m", "gateway", "run"],
            env={**home, "HTTP_PORT": str(free_port())},
            cwd=desk.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert second.returncode == 1
        assert "another `gateway run` keeps its desk in" in second.stderr
        assert order_as_printed(shown).status_code == 200


def test_a_desk_that_was_killed_leaves_no_gateway_and_no_exchange_and_starts_again() -> None:
    """Its servers are taken over where they still run; its orders are all there."""
    variables = {"GATEWAY_HOME": "home", "HTTP_PORT": str(free_port())}
    with terminal("run", "--source", "synthetic", **variables) as desk:
        assert order_as_printed(desk.read_until("Ctrl-C stops everything")).status_code == 200
        desk.process.kill()
        desk.process.wait()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while any("gateway serve" in line or "gateway paper" in line for line in desk.processes_left):
            assert time.monotonic() < give_up, desk.processes_left
            time.sleep(0.05)
        desk.start("run", "--source", "synthetic", **variables)
        assert order_as_printed(desk.read_until("Ctrl-C stops everything")).status_code == 200
        assert "symbol=AAPL side=buy" in follow(desk)
        assert desk.interrupt() == 130
        assert desk.processes_left == []
