"""Bearer tokens from the command line: signed with the key this installation has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway.api.tokens import OneKey, TokenRules, mint
from gateway.main.keys import signing_key
from gateway.settings import Settings


def mint_token(
    settings: Settings, *, sub: str, role: str, strategies: Sequence[str], seconds: int | None = None
) -> str:
    """A token that a gateway with these settings accepts; `seconds` defaults to ACCESS_TOKEN_TTL.

    Raises ConfigurationErrors when there is no key to sign with, ValueError for what no token can say.
    """
    key = signing_key(settings)
    return mint(
        sub=sub,
        role=role,
        strategies=strategies,
        life=timedelta(seconds=settings.access_token_ttl if seconds is None else seconds),
        now=datetime.now(UTC),
        rules=TokenRules(
            algorithm=settings.jwt_algorithm,
            keys=OneKey(key),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            skew_seconds=settings.clock_skew_seconds,
        ),
        signing_key=key,
    )
