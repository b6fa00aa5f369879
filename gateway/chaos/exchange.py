"""The exchange as the tool sees it: its control plane, asked again until it answers."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, Final

import httpx2

from gateway.cli.endings import CommandFailed

_PAUSE_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0


class Exchange:
    """`headers` are the keys of its one account."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=10)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, however often it has to be asked for. Raises CommandFailed when it will not come."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                response = self._http.request(method, path, json=body)
            except httpx2.TransportError as error:
                words = str(error)
            else:
                if response.status_code < 300:
                    return json.loads(response.content, parse_float=Decimal) if response.content else None
                words = f"{response.status_code} {response.text}"
            if time.monotonic() > deadline:
                raise CommandFailed(f"the exchange does not answer {method} {path}: {words}")
            time.sleep(_PAUSE_SECONDS)

    def faults(self) -> list[dict[str, Any]]:
        """Everything it can be told to have, with parameters."""
        catalogue: list[dict[str, Any]] = self.ask("GET", "/_ctl/faults")["catalogue"]
        return catalogue

    def try_to(self, method: str, path: str, body: Any = None) -> int:
        """Ask once; the status, 0 for no answer."""
        try:
            return self._http.request(method, path, json=body).status_code
        except httpx2.TransportError:
            return 0

    def close(self) -> None:
        self._http.close()
