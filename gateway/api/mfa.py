"""The second factor of what cannot be undone: a fresh OIDC id token of the same person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt
from jwt.types import Options

from gateway.api.refusals import (
    AuthUnavailable,
    InvalidToken,
    MfaExpired,
    MfaInvalid,
    MfaRequired,
    MfaUnavailable,
    TokenMismatch,
)
from gateway.api.tokens import Keys
from gateway.ports import Clock

SECOND_FACTORS: Final = frozenset({"mfa", "otp", "sms", "push", "webauthn", "hwk"})
"""Methods of authentication (RFC 8176 and what issuers use) that count as a second factor."""
_ALGORITHMS: Final = ("RS256", "ES256")
_FOREIGN_KEYS: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
_OPTIONS: Final[Options] = {
    "require": ["exp", "iat", "sub", "iss", "aud", "auth_time"],
    "verify_exp": False,  # times are checked here, by the clock that was handed in
    "verify_iat": False,
    "verify_nbf": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaRules:
    """Who issues second factors, for whom, and how many seconds they stay fresh."""

    keys: Keys
    issuer: str
    client_id: str
    max_age_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """`rules` None: nothing is configured, so nobody passes."""

    rules: MfaRules | None
    clock: Clock

    async def __call__(self, id_token: str | None, subject: str) -> None:
        """Raises one of the refusals of the gate `mfa`."""
        if not id_token:
            raise MfaRequired("an id_token with a second factor is needed")
        if self.rules is None:
            raise MfaUnavailable("no issuer of second factors is configured")
        claims = await _read(id_token, self.rules)
        if claims["sub"] != subject:
            raise TokenMismatch("the id_token is somebody else's")
        _require_second_factor(claims)
        _require_fresh(claims, self.rules, self.clock.now())


async def _read(id_token: str, rules: MfaRules) -> Mapping[str, Any]:
    """The claims of a well-signed token. Raises MfaInvalid or MfaUnavailable."""
    try:
        header = jwt.get_unverified_header(id_token)
        algorithm = str(header.get("alg"))
        if algorithm not in _ALGORITHMS or _FOREIGN_KEYS & header.keys():
            raise MfaInvalid("the id_token is not signed as required")
        key = await rules.keys.key_for(id_token, header.get("kid"))
        claims: Mapping[str, Any] = jwt.decode(
            id_token,
            key,
            algorithms=[algorithm],
            issuer=rules.issuer,
            audience=rules.client_id,
            options=_OPTIONS,
        )
    except AuthUnavailable as error:
        raise MfaUnavailable("the keys of the issuer of second factors cannot be fetched") from error
    except (InvalidToken, jwt.PyJWTError, ValueError, TypeError) as error:
        raise MfaInvalid("the id_token cannot be verified") from error
    return claims


def _require_second_factor(claims: Mapping[str, Any]) -> None:
    methods = claims.get("amr")
    if not isinstance(methods, list) or not any(
        isinstance(method, str) and method in SECOND_FACTORS for method in methods
    ):
        raise MfaRequired("the id_token was given without a second factor")


def _require_fresh(claims: Mapping[str, Any], rules: MfaRules, now: datetime) -> None:
    at = now.timestamp()
    if not max(_seconds(claims["iat"]), _seconds(claims.get("nbf", 0))) <= at < _seconds(claims["exp"]):
        raise MfaInvalid("the id_token is not valid now")
    if not 0 <= at - _seconds(claims["auth_time"]) <= rules.max_age_seconds:
        raise MfaExpired(f"the second factor was not given within the last {rules.max_age_seconds} s")


def _seconds(value: object) -> float:
    """Seconds since 1970. Raises MfaInvalid for anything but a sane number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise MfaInvalid("the id_token has times that are no numbers")
    return value
