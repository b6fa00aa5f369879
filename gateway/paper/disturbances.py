"""The part of the control plane that makes trouble: faults, and direct steps on connections."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from gateway.paper.catalogue import CATALOGUE
from gateway.paper.connection import Connection
from gateway.paper.control_messages import SocketStep, read_as
from gateway.paper.errors import not_found
from gateway.paper.house import House

Work = Callable[[Request, bytes], object]


class Disturbances:
    def __init__(self, house: House) -> None:
        self._house = house

    def table(self) -> list[tuple[str, str, Work]]:
        return [
            ("GET", "connections", self.connections),
            ("POST", "connections/{connection_id}/{step}", self.connection_step),
            ("GET", "faults", self.faults),
            ("GET", "faults/{fault_id}", self.fault),
            ("POST", "faults", self.arm),
            ("DELETE", "faults", self.disarm_all),
            ("DELETE", "faults/{fault_id}", self.disarm),
        ]

    def connections(self, request: Request, body: bytes) -> object:
        return [connection.as_json() for connection in self._house.hub.connections.values()]

    def connection_step(self, request: Request, body: bytes) -> object:
        wanted, asked = request.path_params["connection_id"], read_as(body, SocketStep)
        chosen = [c for c in self._house.hub.connections.values() if wanted in {"all", c.id}]
        for connection in chosen:
            self._force(connection, request.path_params["step"], asked)
        return {"connections": [connection.id for connection in chosen]}

    def _force(self, connection: Connection, step: str, asked: SocketStep) -> None:
        match step:
            case "drop":
                connection.drop(asked.code)
            case "freeze":
                self._house.hub.freeze(connection, asked.seconds)
            case "mute":
                connection.mute(asked.seconds, backlog=asked.backlog)
            case "send_raw":
                connection.outbox.put_nowait(asked.text.encode())
            case "replay":
                self._house.hub.replay(connection, asked.last)
            case _:
                raise not_found(f"no step {step}")

    def faults(self, request: Request, body: bytes) -> object:
        """What can be armed, and what is."""
        return {
            "catalogue": [kind.as_json() for kind in CATALOGUE.values()],
            "armed": self._house.kernel.faults.all(),
        }

    def fault(self, request: Request, body: bytes) -> object:
        return self._house.kernel.faults.find(request.path_params["fault_id"])

    def arm(self, request: Request, body: bytes) -> object:
        fault = self._house.kernel.faults.arm(body)
        if refuse := self._house.kernel.faults.take("http.refuse"):
            spared = {connection.peer for connection in self._house.hub.connections.values()}
            if request.client:
                spared.add((request.client.host, request.client.port))
            self._house.sockets.refuse(refuse.seconds, spare=spared)
        return fault

    def disarm(self, request: Request, body: bytes) -> object:
        self._house.kernel.faults.disarm(request.path_params["fault_id"])
        self._house.exchange.stuck.release()
        return {}

    def disarm_all(self, request: Request, body: bytes) -> object:
        self._house.kernel.faults.clear()
        self._house.exchange.stuck.release()
        return {}
