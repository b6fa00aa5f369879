"""One principal, two proofs: a bearer token or a service's signature, never both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fastapi import Request

from gateway.aggregates.refusals import Refusal
from gateway.api import service_headers
from gateway.api.refusals import AuthenticationRequired, InvalidToken, TokenReplayed
from gateway.api.roles import Principal
from gateway.api.service_headers import ServiceRules
from gateway.api.tokens import KnownTokens, TokenRules
from gateway.ports import Clock, Nonces
from gateway.telemetry import Metrics

_BEARER: Final = "bearer "
_LONGEST_TOKEN: Final = 8192


@dataclass(slots=True, kw_only=True)
class Security:
    """Says who asks. Nothing is trusted from a header that is not signed."""

    tokens: TokenRules
    services: ServiceRules
    nonces: Nonces
    clock: Clock
    metrics: Metrics
    known: KnownTokens = field(init=False)

    def __post_init__(self) -> None:
        self.known = KnownTokens(self.tokens, self.clock)

    async def __call__(self, request: Request) -> Principal:
        """Raises the refusals of the gate `auth`; every outcome is counted."""
        bearer = request.headers.getlist("authorization")
        signed = service_headers.is_service_request(request)
        kind = "s2s" if signed else "jwt" if bearer else "none"
        try:
            principal = await self._principal(request, bearer, signed=signed)
        except Refusal as refusal:
            self._count(request, kind, refusal.code)
            raise
        self._count(request, kind, "success")
        return replace(principal, address=request.client.host if request.client else None)

    async def _principal(self, request: Request, bearer: list[str], *, signed: bool) -> Principal:
        if signed and bearer:
            raise AuthenticationRequired("service headers and a bearer token exclude each other")
        if signed:
            return await service_headers.principal_from(request, self.services, self.nonces, self.clock.now())
        if not bearer:
            raise AuthenticationRequired("a bearer token or service headers are needed")
        return await self.known.principal(_token(bearer))

    def _count(self, request: Request, kind: str, result: str) -> None:
        action = request.scope["route"].name
        self.metrics.auth_checks.labels(action=action, result=result, auth_type=kind, mode="enforce").inc()
        if kind == "s2s":
            service = request.headers.get(service_headers.SERVICE, "")
            label = service if service in self.services.allowed else "unknown"
            self.metrics.s2s_checks.labels(service_id=label, result=result).inc()
            if result == TokenReplayed.code:
                self.metrics.s2s_replays.labels(service_id=label).inc()


def _token(bearer: list[str]) -> str:
    given = bearer[0]
    if len(bearer) > 1 or not given.lower().startswith(_BEARER) or len(given) > _LONGEST_TOKEN:
        raise InvalidToken("the Authorization header holds no bearer token")
    return given[len(_BEARER) :].strip()
