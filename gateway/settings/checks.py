"""What must hold between variables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.settings.variables import Settings, is_local

_LIVE_HOST: Final = "api.alpaca.markets"
_PAPER_HOST: Final = "paper-api.alpaca.markets"
_DEFAULT_PASSWORD: Final = "trader"  # noqa: S105  (the specification's; refused where it would matter)


@dataclass(frozen=True, slots=True)
class Check:
    """A rule between variables; `broken` is asked only when all that it `reads` could be read."""

    reads: frozenset[str]
    broken: Callable[[Settings], bool]
    says: str


def broken_checks(settings: Settings, unread: Collection[str]) -> list[str]:
    """Give what each broken rule says, leaving out rules about variables that could not be read."""
    return [c.says for c in CHECKS if c.reads.isdisjoint(unread) and c.broken(settings)]


def _check(reads: str, broken: Callable[[Settings], bool], says: str) -> Check:
    return Check(frozenset(reads.split()), broken, says)


def _host(settings: Settings) -> str | None:
    return urlsplit(settings.alpaca_base_url).hostname


def _default_password_used(settings: Settings) -> bool:
    urls = (
        settings.database_url,
        settings.database_owner_url,
        settings.projections_database_url,
        settings.sealer_database_url,
    )
    return any(url and urlsplit(url.get_secret_value()).password == _DEFAULT_PASSWORD for url in urls)


def _redis_password_missing(settings: Settings) -> bool:
    return urlsplit(settings.redis_address.get_secret_value()).password is None


def _ways_to_verify(settings: Settings) -> int:
    ways = (settings.jwt_public_key_path, settings.jwt_jwks_url, settings.jwt_hs256_secret)
    return sum(way is not None for way in ways)


def _key_contradicts_algorithm(settings: Settings) -> bool:
    if settings.jwt_algorithm == "HS256":
        return _ways_to_verify(settings) == 1 and settings.jwt_hs256_secret is None
    return settings.jwt_hs256_secret is not None or (settings.is_relaxed and not _ways_to_verify(settings))


def _short_key(settings: Settings) -> bool:
    keys = (
        settings.webhook_secret,
        settings.internal_token_secret,
        *settings.internal_token_secrets.values(),
    )
    return any(key is not None and len(key.get_secret_value().encode()) < 32 for key in keys)


_JWT = "jwt_public_key_path jwt_jwks_url jwt_hs256_secret"

CHECKS: Final = (
    _check(
        "dry_run alpaca_api_key_id alpaca_api_secret_key",
        lambda s: not s.dry_run and not (s.alpaca_api_key_id and s.alpaca_api_secret_key),
        "DRY_RUN=false needs ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY",
    ),
    _check(
        "alpaca_paper alpaca_base_url",
        lambda s: s.alpaca_paper and _host(s) == _LIVE_HOST,
        f"ALPACA_PAPER=true contradicts ALPACA_BASE_URL: {_LIVE_HOST} is the live host",
    ),
    _check(
        "alpaca_paper alpaca_base_url",
        lambda s: not s.alpaca_paper and (_host(s) == _PAPER_HOST or is_local(s.alpaca_base_url)),
        f"ALPACA_PAPER=false contradicts ALPACA_BASE_URL: {_PAPER_HOST} and local hosts are paper",
    ),
    _check(
        "market_data_source alpaca_paper dry_run",
        lambda s: s.market_data_source == "embedded" and not s.alpaca_paper and not s.dry_run,
        "MARKET_DATA_SOURCE=embedded is not for live trading (use alpaca or redis)",
    ),
    _check(
        "redis_auth_required redis_password redis_url",
        lambda s: s.redis_auth_required and _redis_password_missing(s),
        "REDIS_AUTH_REQUIRED=true needs REDIS_PASSWORD, or a password in REDIS_URL",
    ),
    _check(
        "db_pool_min_size db_pool_max_size",
        lambda s: s.db_pool_min_size > s.db_pool_max_size,
        "DB_POOL_MIN_SIZE is above DB_POOL_MAX_SIZE",
    ),
    _check(
        "reduce_only_lock_timeout_seconds broker_connect_timeout_seconds broker_read_timeout_seconds",
        lambda s: (
            s.reduce_only_lock_timeout_seconds
            <= s.broker_connect_timeout_seconds + s.broker_read_timeout_seconds
        ),
        "REDUCE_ONLY_LOCK_TIMEOUT_SECONDS must be above BROKER_CONNECT_TIMEOUT_SECONDS and "
        "BROKER_READ_TIMEOUT_SECONDS together",
    ),
    _check(
        "reduce_only_lock_timeout_seconds broker_deadline_seconds",
        lambda s: s.reduce_only_lock_timeout_seconds <= s.broker_deadline_seconds,
        "REDUCE_ONLY_LOCK_TIMEOUT_SECONDS must be above BROKER_DEADLINE_SECONDS",
    ),
    _check(
        _JWT,
        lambda s: _ways_to_verify(s) > 1,
        "more than one of JWT_PUBLIC_KEY_PATH, JWT_JWKS_URL, JWT_HS256_SECRET is set (use one)",
    ),
    _check(
        f"environment jwt_algorithm {_JWT}",
        _key_contradicts_algorithm,
        "JWT_ALGORITHM does not fit the key: HS256 takes JWT_HS256_SECRET, "
        "RS256 and ES256 take JWT_PUBLIC_KEY_PATH or JWT_JWKS_URL",
    ),
    _check(
        f"environment {_JWT}",
        lambda s: not s.is_relaxed and _ways_to_verify(s) == 0,
        "outside dev and test one of JWT_PUBLIC_KEY_PATH, JWT_JWKS_URL, JWT_HS256_SECRET is required",
    ),
    _check(
        "environment webhook_secret",
        lambda s: not s.is_relaxed and s.webhook_secret is None,
        "outside dev and test WEBHOOK_SECRET is required",
    ),
    _check(
        "environment webhook_secret internal_token_secret internal_token_secrets",
        lambda s: not s.is_relaxed and _short_key(s),
        "outside dev and test WEBHOOK_SECRET and INTERNAL_TOKEN_SECRET need at least 32 bytes",
    ),
    _check(
        "environment internal_token_required",
        lambda s: not s.is_relaxed and not s.internal_token_required,
        "INTERNAL_TOKEN_REQUIRED=false is for dev and test only",
    ),
    _check(
        "environment database_url database_owner_url projections_database_url sealer_database_url",
        lambda s: not s.is_relaxed and _default_password_used(s),
        "outside dev and test the default database password is refused (set DATABASE_URL)",
    ),
)
