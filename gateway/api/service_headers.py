"""Services prove who they are by signing each request (HMAC-SHA256 over canonical JSON)."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from fastapi import Request

from gateway.aggregates.vocabulary import ActorKind, StrategyId
from gateway.api.json_types import is_strategy_id, is_visible_ascii
from gateway.api.refusals import AuthUnavailable, InvalidInternalToken, TokenReplayed
from gateway.api.roles import NOTHING, SERVICES, Principal
from gateway.ports import MirrorUnavailable, Nonces

SERVICE: Final = "x-service-id"
TIMESTAMP: Final = "x-internal-timestamp"
NONCE: Final = "x-internal-nonce"
TOKEN: Final = "x-internal-token"  # noqa: S105 - the header's name
USER: Final = "x-user-id"
STRATEGY: Final = "x-strategy-id"
BODY_HASH: Final = "x-body-hash"
PROOF: Final = (SERVICE, TIMESTAMP, NONCE, TOKEN)
_ALL: Final = (*PROOF, USER, STRATEGY, BODY_HASH)
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRules:
    """`secrets` by service id; `common_secret` for those without one of their own. Empty verifies nothing."""

    allowed: frozenset[str]
    secrets: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    common_secret: bytes = field(repr=False, default=b"")
    tolerance_seconds: int = 300
    required: bool = True
    """False, in dev and test only, believes an unsigned X-Service-ID."""

    def secret_of(self, service: str) -> bytes:
        return self.secrets.get(service) or self.common_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a signature covers. Absent values are empty."""

    method: str
    path: str
    service_id: str
    timestamp: str
    nonce: str
    query: str = ""
    body_hash: str = ""
    user_id: str = ""
    strategy_id: str = ""

    def signature(self, secret: bytes) -> str:
        covered = {name: getattr(self, name) for name in self.__slots__}
        text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hmac.new(secret, text.encode("ascii"), hashlib.sha256).hexdigest()


def is_service_request(request: Request) -> bool:
    return any(name in request.headers for name in PROOF)


async def principal_from(request: Request, rules: ServiceRules, nonces: Nonces, now: datetime) -> Principal:
    """Raises InvalidInternalToken, TokenReplayed or AuthUnavailable. The checks come in this order."""
    headers = _single_headers(request)
    service = headers[SERVICE]
    if service not in rules.allowed:
        raise InvalidInternalToken("the service is not known here")
    if rules.required or headers[TOKEN]:
        await _check_proof(request, headers, rules, nonces, now)
    return _principal(headers, "hmac" if rules.required or headers[TOKEN] else "unsigned")


async def _check_proof(
    request: Request, headers: Mapping[str, str], rules: ServiceRules, nonces: Nonces, now: datetime
) -> None:
    seconds = headers[TIMESTAMP]
    if not _SECONDS.fullmatch(seconds) or abs(now.timestamp() - int(seconds)) > rules.tolerance_seconds:
        raise InvalidInternalToken("the timestamp is missing or outside the tolerance")
    await _check_body(request, headers[BODY_HASH])
    secret, token = rules.secret_of(headers[SERVICE]), headers[TOKEN]
    expected = _signed(request, headers).signature(secret)
    if not secret or not _HEX.fullmatch(token) or not hmac.compare_digest(expected, token):
        raise InvalidInternalToken("the signature does not fit the request")
    if not is_visible_ascii(headers[NONCE]):
        raise InvalidInternalToken("the nonce is missing or unusable")
    try:
        fresh = await nonces.claim(headers[SERVICE], headers[NONCE], 2 * rules.tolerance_seconds)
    except MirrorUnavailable as error:
        raise AuthUnavailable("nonces cannot be checked") from error
    if not fresh:
        raise TokenReplayed("the nonce was used before")


def _single_headers(request: Request) -> Mapping[str, str]:
    """Every header of the proof, once; absent ones empty."""
    if any(len(request.headers.getlist(name)) > 1 for name in _ALL):
        raise InvalidInternalToken("a service header stands twice")
    return {name: request.headers.get(name, "") for name in _ALL}


async def _check_body(request: Request, claimed: str) -> None:
    if not claimed and request.method not in _WITH_BODY:
        return
    actual = hashlib.sha256(await request.body()).hexdigest()
    if not _HEX.fullmatch(claimed) or not hmac.compare_digest(actual, claimed):
        raise InvalidInternalToken("the body hash does not fit the body")


def _signed(request: Request, headers: Mapping[str, str]) -> SignedRequest:
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8")
    return SignedRequest(
        method=request.method,
        path=raw_path.decode("latin-1"),
        query=request.scope["query_string"].decode("latin-1"),
        service_id=headers[SERVICE],
        timestamp=headers[TIMESTAMP],
        nonce=headers[NONCE],
        body_hash=headers[BODY_HASH],
        user_id=headers[USER],
        strategy_id=headers[STRATEGY],
    )


def _principal(headers: Mapping[str, str], auth_method: str) -> Principal:
    user, strategy = headers[USER], headers[STRATEGY]
    if user and not is_visible_ascii(user):
        raise InvalidInternalToken("the user id is unusable")
    if strategy and not is_strategy_id(strategy):
        raise InvalidInternalToken("the strategy id is unusable")
    return Principal(
        sub=headers[SERVICE],
        kind=ActorKind.SERVICE,
        permissions=SERVICES.get(headers[SERVICE], NOTHING),
        strategies=frozenset({StrategyId(strategy)}) if strategy else None,
        auth_method=auth_method,
        on_behalf_of=user or None,
        strategy_id=StrategyId(strategy) if strategy else None,
    )
