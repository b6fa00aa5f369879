"""Settings in, adapters and rules out. Nothing here starts anything."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from gateway.adapters.alpaca import AlpacaBroker, AlpacaSettings, LateReply
from gateway.adapters.dry_run import NoBroker
from gateway.adapters.market_data import (
    AlpacaMarketData,
    DataSettings,
    EmbeddedMarketData,
    RedisMarketData,
)
from gateway.adapters.redis_link import RedisLink
from gateway.aggregates.risk_limits import Thresholds
from gateway.aggregates.vocabulary import StrategyId
from gateway.api.deps import About
from gateway.api.rate_limit import rate_rules
from gateway.api.service_headers import ServiceRules
from gateway.api.tokens import OneKey, PublishedKeys, TokenRules
from gateway.api.webhook_signature import WebhookRules
from gateway.commands.gates.walk import RiskRules
from gateway.main.keys import signing_key
from gateway.ports import Broker, Clock, MarketData, RateRule
from gateway.settings import Settings
from gateway.settings.variables import is_local
from gateway.telemetry import Metrics, log

_log = log("gateway.broker")

LOCAL_REQUESTS_PER_MINUTE: Final = 1_000_000
"""A broker on this machine has no budget to protect; Alpaca's is 200 a minute for the whole account."""
ALPACA_REQUESTS_PER_MINUTE: Final = 180


def secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def about(settings: Settings) -> About:
    return About(
        environment=settings.environment,
        dry_run=settings.dry_run,
        alpaca_paper=settings.alpaca_paper,
        alpaca_base_url=settings.alpaca_base_url,
        circuit_breaker_enabled=settings.circuit_breaker_enabled,
        liquidity_check_enabled=settings.liquidity_check_enabled,
        max_slice_pct_of_adv=settings.max_slice_pct_of_adv,
        rate_limit_mode=settings.rate_limit_mode,
        strategy_id=StrategyId(settings.strategy_id),
        max_position_size=settings.risk_max_position_size,
        performance_enabled=settings.feature_performance_dashboard,
        max_performance_days=settings.max_performance_days,
        strategy_activity_seconds=float(settings.strategy_activity_threshold_seconds),
    )


def redis_url(settings: Settings) -> str:
    """REDIS_URL wins over REDIS_HOST, REDIS_PORT and REDIS_DB."""
    if settings.redis_url is not None:
        return secret(settings.redis_url)
    password = f":{secret(settings.redis_password)}@" if settings.redis_password is not None else ""
    return f"redis://{password}{settings.redis_host}:{settings.redis_port}/{settings.redis_db}"


def risk_rules(settings: Settings) -> RiskRules:
    """A threshold of 0 in the environment switches its check off."""

    def threshold(value: Decimal | int) -> Decimal | None:
        return Decimal(value) if value else None

    return RiskRules(
        dry_run=settings.dry_run,
        circuit_breaker_enabled=settings.circuit_breaker_enabled,
        max_position_size=Decimal(settings.risk_max_position_size),
        default_thresholds=Thresholds(
            max_notional=threshold(settings.fat_finger_max_notional),
            max_qty=threshold(settings.fat_finger_max_qty),
            max_adv_pct=threshold(settings.fat_finger_max_adv_pct),
        ),
        max_price_age_seconds=int(settings.fat_finger_max_price_age_seconds),
    )


def limits(settings: Settings) -> dict[str, RateRule]:
    return rate_rules(
        submits=settings.order_submit_rate_limit,
        slices=settings.order_slice_rate_limit,
        cancels=settings.order_cancel_rate_limit,
        backfills=settings.fills_backfill_limit,
        backfill_seconds=int(settings.fills_backfill_window_seconds),
    )


def broker(settings: Settings, clock: Clock, metrics: Metrics, late_reply: LateReply) -> Broker:
    """Alpaca, or nobody at all in DRY_RUN."""
    if settings.dry_run:
        return NoBroker()
    local = is_local(settings.alpaca_base_url)
    return AlpacaBroker(
        AlpacaSettings(
            key=secret(settings.alpaca_api_key_id),
            secret=secret(settings.alpaca_api_secret_key),
            base_url=settings.alpaca_base_url,
            connect_timeout=settings.broker_connect_timeout_seconds,
            read_timeout=settings.broker_read_timeout_seconds,
            deadline=settings.broker_deadline_seconds,
            requests_per_minute=LOCAL_REQUESTS_PER_MINUTE if local else ALPACA_REQUESTS_PER_MINUTE,
        ),
        clock=clock,
        observe=_counted(metrics),
        late_reply=late_reply,
    )


def market_data(settings: Settings, clock: Clock, link: RedisLink, metrics: Metrics) -> MarketData:
    """The configured source of prices; volumes come from the broker's data wherever there is a broker."""
    if settings.market_data_source == "embedded":
        return EmbeddedMarketData(clock)
    if settings.market_data_source == "alpaca":
        return _alpaca_prices(settings, clock, metrics)
    return RedisMarketData(
        link,
        clock=clock,
        volumes=EmbeddedMarketData(clock) if settings.dry_run else _alpaca_prices(settings, clock, metrics),
        max_age=settings.fat_finger_max_price_age_seconds,
    )


def _counted(metrics: Metrics) -> Callable[[str, str], None]:
    """Every call to Alpaca, by operation and by how it ended: counted, and a line in the log."""

    def ended(operation: str, status: str) -> None:
        metrics.broker_calls.labels(operation=operation, status=status).inc()
        _log.info("broker call", operation=operation, outcome=status)

    return ended


def _alpaca_prices(settings: Settings, clock: Clock, metrics: Metrics) -> AlpacaMarketData:
    return AlpacaMarketData(
        DataSettings(
            key=secret(settings.alpaca_api_key_id),
            secret=secret(settings.alpaca_api_secret_key),
            base_url=settings.alpaca_data_url,
            feed=settings.alpaca_data_feed,
            max_age=settings.fat_finger_max_price_age_seconds,
        ),
        clock=clock,
        observe=_counted(metrics),
    )


def token_rules(settings: Settings, clock: Clock) -> TokenRules:
    """Exactly one way to verify; in dev and test a secret of this installation stands in."""
    keys: OneKey | PublishedKeys
    if settings.jwt_jwks_url is not None:
        keys = PublishedKeys(settings.jwt_jwks_url, clock)
    else:
        keys = OneKey(_verification_key(settings))
    return TokenRules(
        algorithm=settings.jwt_algorithm,
        keys=keys,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        skew_seconds=int(settings.clock_skew_seconds),
        services=frozenset(settings.allowed_service_ids),
    )


def _verification_key(settings: Settings) -> str | bytes:
    if settings.jwt_public_key_path is not None:
        return Path(settings.jwt_public_key_path).read_bytes()
    return signing_key(settings)


def service_rules(settings: Settings) -> ServiceRules:
    return ServiceRules(
        allowed=frozenset(settings.allowed_service_ids),
        secrets={name: secret(value).encode() for name, value in settings.internal_token_secrets.items()},
        common_secret=secret(settings.internal_token_secret).encode(),
        tolerance_seconds=int(settings.internal_token_timestamp_tolerance_seconds),
        required=settings.internal_token_required,
    )


def webhook_rules(settings: Settings) -> WebhookRules:
    given = secret(settings.webhook_secret)
    return WebhookRules(
        secrets=(given.encode(),) if given else (),
        tolerance_seconds=int(settings.webhook_timestamp_tolerance_seconds),
        open=settings.environment in ("dev", "test"),
    )
