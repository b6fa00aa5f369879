"""`gateway run`: a desk of real processes, started and stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time

import httpx2

from gateway.cli.stage import free_port, is_free
from tests.kit.terminal import PATIENCE_SECONDS, Terminal, terminal


def order_as_printed(shown: str) -> httpx2.Response:
    """Do what the printed curl would do."""
    (token,) = re.findall(r"TOKEN=(\S+)", shown)
    (url,) = re.findall(r"curl -s (\S+)", shown)
    (body,) = re.findall(r"-d '(.*)'", shown)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx2.post(url, content=body, headers=headers, timeout=30)


def follow(desk: Terminal) -> str:
    """What another shell sees that knows nothing but the folder."""
    home = str(desk.folder / "home")
    arguments = ["follow", "--after", "0", "--topic", "order.filled", "-n", "1"]
    followed = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={"GATEWAY_HOME": home},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return followed.stdout


def test_a_desk_stands_until_ctrl_c_and_leaves_nothing_running() -> None:
    port = free_port()
    home = {"GATEWAY_HOME": "home", "HTTP_PORT": str(port)}
    with terminal("run", "--source", "synthetic", **home) as desk:
        answer = order_as_printed(desk.read_until("Ctrl-C stops everything"))
        assert (answer.status_code, answer.json()["message"]) == (200, "Order submitted")
        assert "symbol=AAPL side=buy" in follow(desk)
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
