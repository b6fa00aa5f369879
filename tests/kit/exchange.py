"""A paper exchange in its own process, for any test that needs a broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.paper.house import DEFAULT_KEY


@dataclass
class Exchange:
    """Starts on a free port; a restart keeps the port and the directory."""

    directory: Path
    source: str = "manual"
    seed: int | None = None
    url: str = ""
    key: str = DEFAULT_KEY.key_id
    secret: str = DEFAULT_KEY.secret
    account: str = DEFAULT_KEY.account
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @classmethod
    def start(cls, directory: Path, *, source: str = "manual", seed: int | None = None) -> Exchange:
        return cls(directory, source, seed).restart()

    @property
    def stream_url(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/stream"

    @property
    def headers(self) -> dict[str, str]:
        return {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}

    def restart(self) -> Exchange:
        port = urlsplit(self.url).port or 0
        command = [sys.executable, "-m", "gateway.paper", "--port", str(port)]
        command += ["--source", self.source, "--directory", str(self.directory)]
        command += [] if self.seed is None else ["--seed", str(self.seed)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the exchange ended with status {self._process.wait()}"
        self.url = line.split()[-1]
        return self

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: nothing gets a chance to be tidied."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate(timeout=10)
            self._process = None

    # The control plane.

    def ctl(self, method: str, path: str, body: object = None) -> Any:
        """Ask `/_ctl/{path}`; numbers with a point come back as Decimals."""
        address = urlsplit(self.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(method, f"/_ctl/{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        assert response.status < 300, f"{method} {path}: {response.status} {text.decode()}"
        return json.loads(text, parse_float=Decimal)

    def reset(self, **opening: object) -> None:
        """Another world: no orders, no faults, no connections."""
        self.ctl("POST", "reset", opening)

    def price(self, symbol: str, bid: str, ask: str, **more: str) -> None:
        self.ctl("POST", "prices", {symbol: {"bid": bid, "ask": ask, **more}})

    def arm(
        self,
        name: str,
        *,
        match: dict[str, str] | None = None,
        after: int = 0,
        times: int | None = None,
        **params: object,
    ) -> str:
        """Arm a fault and return its id."""
        fault = {"name": name, "match": match or {}, "after": after, "times": times, "params": params}
        return str(self.ctl("POST", "faults", fault)["id"])

    def truth(self) -> Any:
        return self.ctl("GET", "truth")
