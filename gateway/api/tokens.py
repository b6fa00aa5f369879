"""Bearer tokens: verifying them, and minting them for the command line."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import httpx2
import jwt
from jwt.types import Options

from gateway.aggregates.vocabulary import ActorKind, StrategyId
from gateway.api.json_types import is_strategy_id
from gateway.api.refusals import AuthUnavailable, InvalidToken
from gateway.api.roles import NOTHING, ROLES, SERVICES, Principal
from gateway.ports import Clock
from gateway.telemetry import log

LONGEST_LIFE: Final = timedelta(hours=24)
SHORTEST_SECRET: Final = 32
FETCH_SECONDS: Final = 2.0
_FOREIGN_KEYS: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
_OPTIONS: Final[Options] = {
    "require": ["exp", "iat", "sub", "iss", "aud"],
    "verify_exp": False,  # times are checked here, by the clock that was handed in
    "verify_iat": False,
    "verify_nbf": False,
}


class Keys(Protocol):
    """Where verification keys come from. A key or an address inside a token is never one of them."""

    async def key_for(self, token: str, kid: str | None) -> Any:
        """Raises InvalidToken for an unknown key, AuthUnavailable when keys cannot be fetched."""


@dataclass(frozen=True, slots=True)
class OneKey:
    """A secret of at least 32 bytes, or a public key in PEM."""

    key: str | bytes = field(repr=False)

    async def key_for(self, token: str, kid: str | None) -> Any:
        return self.key


@dataclass(slots=True)
class PublishedKeys:
    """A JWKS address: cached for ten minutes; an unknown id refetches at most once a minute.

    As long as nothing was ever fetched it is asked again after two seconds.
    """

    url: str
    clock: Clock
    _keys: dict[str, Any] = field(default_factory=dict)
    _fetched_at: float | None = None
    _asked_at: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    CACHED_SECONDS: Final = 600.0
    REFETCH_SECONDS: Final = 60.0
    RETRY_SECONDS: Final = 2.0

    async def key_for(self, token: str, kid: str | None) -> Any:
        async with self._lock:
            if self._is_due(kid):
                await self._fetch()
        if self._fetched_at is None:
            raise AuthUnavailable("the keys of the token issuer cannot be fetched")
        if kid is None or kid not in self._keys:
            raise InvalidToken("the token is signed with an unknown key")
        return self._keys[kid]

    def _is_due(self, kid: str | None) -> bool:
        now = self.clock.monotonic()
        pause = self.RETRY_SECONDS if self._fetched_at is None else self.REFETCH_SECONDS
        if self._asked_at is not None and now - self._asked_at < pause:
            return False
        return (
            self._fetched_at is None or now - self._fetched_at > self.CACHED_SECONDS or kid not in self._keys
        )

    async def _fetch(self) -> None:
        """Keep the old keys when the address does not answer."""
        self._asked_at = self.clock.monotonic()
        try:
            async with httpx2.AsyncClient(timeout=FETCH_SECONDS) as client:
                answer = (await client.get(self.url)).raise_for_status()
            found = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx2.HTTPError, jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            log("gateway.api").warning("token keys not fetched", error=type(error).__name__)
            return
        self._keys = {key.key_id: key.key for key in found if key.key_id}
        self._fetched_at = self.clock.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must say. `algorithm` is the only one accepted, whatever a token's header claims."""

    algorithm: str
    keys: Keys
    issuer: str
    audience: str
    skew_seconds: int
    services: frozenset[str] = frozenset()
    """The only services whose tokens are believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a well-signed token says. Times are seconds since 1970; they are judged at every use."""

    principal: Principal
    issued: float
    expires: float
    not_before: float

    def check_times(self, now: datetime, skew_seconds: int) -> None:
        """Raises InvalidToken."""
        at = now.timestamp()
        if self.expires + skew_seconds <= at:
            raise InvalidToken("the token has expired")
        if max(self.issued, self.not_before) - skew_seconds > at:
            raise InvalidToken("the token is not valid yet")


async def read_token(token: str, rules: TokenRules) -> Claimed:
    """Verify everything but the time. Raises InvalidToken or AuthUnavailable."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != rules.algorithm or _FOREIGN_KEYS & header.keys():
            raise InvalidToken("the token is not signed as required")
        key = await rules.keys.key_for(token, header.get("kid"))
        claims = jwt.decode(
            token,
            key,
            algorithms=[rules.algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise InvalidToken("the token cannot be verified") from error
    issued, expires = _seconds(claims["iat"]), _seconds(claims["exp"])
    if not 0 <= expires - issued <= LONGEST_LIFE.total_seconds():
        raise InvalidToken("the token lives longer than 24 hours")
    return Claimed(
        principal=_principal(claims, rules.services),
        issued=issued,
        expires=expires,
        not_before=_seconds(claims.get("nbf", 0)),
    )


async def principal_from(token: str, rules: TokenRules, now: datetime) -> Principal:
    """Raises InvalidToken or AuthUnavailable."""
    claimed = await read_token(token, rules)
    claimed.check_times(now, rules.skew_seconds)
    return claimed.principal


@dataclass(frozen=True, slots=True)
class KnownTokens:
    """Remembers for a minute what well-signed tokens say, so that a busy caller costs little."""

    rules: TokenRules
    clock: Clock
    _known: dict[str, tuple[float, Claimed]] = field(default_factory=dict, repr=False)

    REMEMBERED_SECONDS: ClassVar = 60.0
    MOST: ClassVar = 1024

    async def principal(self, token: str) -> Principal:
        """Raises InvalidToken or AuthUnavailable; a remembered token is still judged by its times."""
        read_at, claimed = self._known.get(token, (float("-inf"), None))
        if claimed is None or self.clock.monotonic() - read_at > self.REMEMBERED_SECONDS:
            self._known.pop(token, None)
            claimed = await read_token(token, self.rules)
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[token] = self.clock.monotonic(), claimed
        claimed.check_times(self.clock.now(), self.rules.skew_seconds)
        return claimed.principal


def _seconds(value: object) -> float:
    """Seconds since 1970; anything but a sane number is a bad token."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**40:
        raise InvalidToken("the token has times that are no numbers")
    return value


def _principal(claims: Mapping[str, Any], services: frozenset[str]) -> Principal:
    sub, kind, strategies = claims["sub"], claims.get("type", "user"), claims.get("strategies", [])
    if not isinstance(sub, str) or not 1 <= len(sub) <= 128 or not sub.isprintable():
        raise InvalidToken("the token has no usable subject")
    if kind not in (ActorKind.USER, ActorKind.SERVICE):
        raise InvalidToken("the token is neither a user's nor a service's")
    if kind == ActorKind.SERVICE and sub not in services:
        raise InvalidToken("the service is not known here")
    known = SERVICES.get(sub) if kind == ActorKind.SERVICE else ROLES.get(str(claims.get("role")))
    return Principal(
        sub=sub,
        kind=ActorKind(kind),
        permissions=known if known is not None else NOTHING,
        strategies=_strategies(strategies),
        auth_method="jwt",
    )


def _strategies(claimed: object) -> frozenset[StrategyId] | None:
    if claimed == ["*"]:
        return None
    if not isinstance(claimed, list) or not all(
        isinstance(one, str) and is_strategy_id(one) for one in claimed
    ):
        raise InvalidToken("the token's strategies are no list of strategy ids")
    return frozenset(StrategyId(one) for one in claimed)


def mint(
    *,
    sub: str,
    role: str | None,
    strategies: Sequence[str],
    life: timedelta,
    now: datetime,
    rules: TokenRules,
    signing_key: str | bytes,
    kind: ActorKind = ActorKind.USER,
) -> str:
    """A token this gateway accepts. Raises ValueError for a life above 24 hours, an unknown role, nobody."""
    if not sub:
        raise ValueError("a token needs a subject: who it is for")
    if not timedelta() < life <= LONGEST_LIFE:
        raise ValueError("a token lives at most 24 hours")
    if role is not None and role not in ROLES:
        raise ValueError(f"unknown role {role!r}; one of {', '.join(ROLES)}")
    claims = {
        "iss": rules.issuer,
        "aud": rules.audience,
        "sub": sub,
        "type": kind.value,
        "strategies": list(strategies),
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims | ({"role": role} if role else {}), signing_key, algorithm=rules.algorithm)


def installation_secret(folder: Path) -> str:
    """The secret of this installation for dev and test, made at first use, readable by its owner only.

    Raises PermissionError when others may read the file.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "jwt-secret"
    fresh = folder / f"jwt-secret.{os.getpid()}"
    if not file.exists():
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_text(secrets.token_urlsafe(SHORTEST_SECRET), encoding="ascii")
        with suppress(FileExistsError):  # another process was first; its secret counts
            os.link(fresh, file)
        fresh.unlink()
    if file.stat().st_mode & 0o077:
        raise PermissionError(f"{file} can be read by others; make it readable by its owner only")
    return file.read_text(encoding="ascii")
