"""The variables: a field is named like its variable, in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.settings.kinds import (
    Amount,
    Count,
    Environment,
    Flag,
    Folder,
    HttpUrl,
    Identifier,
    Integer,
    LongSecret,
    Names,
    Networks,
    Number,
    Period,
    Port,
    PostgresUrl,
    ReadableFile,
    RedisUrl,
    Seconds,
    Secret,
    StreamUrl,
    Text,
    Tolerance,
    Wait,
    Whole,
    WholeSeconds,
)

MarketDataSource = Literal["embedded", "alpaca", "redis"]
JwtAlgorithm = Literal["RS256", "ES256", "HS256"]

RELAXED: Final = frozenset({"dev", "test"})
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(url: str) -> bool:
    """Tell whether a URL leads to this machine."""
    return urlsplit(url).hostname in LOCAL


def _market_data_source(known: dict[str, Any]) -> MarketDataSource:
    """`embedded` in DRY_RUN, else `alpaca`"""
    return "embedded" if known["dry_run"] else "alpaca"


def _data_url(known: dict[str, Any]) -> str:
    """`https://data.alpaca.markets`; a local `ALPACA_BASE_URL` serves data too"""
    base: str = known["alpaca_base_url"]
    return base if is_local(base) else "https://data.alpaca.markets"


def _stream_url(known: dict[str, Any]) -> str:
    """`ALPACA_BASE_URL` as `wss` (or `ws`), with `/stream`"""
    return f"ws{known['alpaca_base_url'].removeprefix('http')}/stream"


def _jwt_algorithm(known: dict[str, Any]) -> JwtAlgorithm:
    """`HS256` in dev and test, else `RS256`"""
    return "HS256" if known["environment"] in RELAXED else "RS256"


class Settings(BaseModel):
    """The configuration of one process; a field is set when its variable was."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)

    environment: Environment = "dev"
    """`dev` and `test` relax what protects a desk: missing keys and secrets"""
    dry_run: Flag = True
    """Record and check everything, never call the broker"""
    strategy_id: Identifier = "alpha_baseline"
    """Strategy of orders that name none"""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log line written"""
    pod_name: Text = "unknown"
    """Metric label `pod`; when unset, `HOSTNAME` is taken"""
    gateway_home: Folder = Path(".gateway")
    """Folder of the embedded servers and of generated keys"""
    gateway_pg_bin: Folder | None = None
    """Folder of the Postgres programs the embedded server runs, instead of the wheel's"""

    http_host: Text = "127.0.0.1"
    """Address the service listens on"""
    http_port: Port = 8002
    """Port the service listens on; 0 takes a free one"""
    trusted_proxy_hosts: Networks = (IPv4Network("127.0.0.1/32"),)
    """Proxies whose forwarding headers are believed"""

    database_url: PostgresUrl = SecretStr("postgresql://trader:trader@localhost:5433/trader")
    """Ledger and projections, with the login of the application"""
    database_owner_url: PostgresUrl | None = None
    """The same database with the login that owns it; used by migrations only"""
    projections_database_url: PostgresUrl | None = None
    """The same database with a login of its own for the projections"""
    sealer_database_url: PostgresUrl | None = None
    """The same database with a login of its own for the sealer"""
    db_pool_min_size: Whole = 2
    """Connections kept open; the pool opens at first use"""
    db_pool_max_size: Count = 10
    """Most connections of the pool"""
    db_pool_timeout: Period = 10
    """Longest wait for a connection"""

    redis_url: RedisUrl | None = None
    """Address of Redis as a whole; wins over the four variables below"""
    redis_host: Text = "localhost"
    """Host of Redis"""
    redis_port: Port = 6379
    """Port of Redis"""
    redis_db: Whole = 0
    """Number of the Redis database"""
    redis_password: Secret | None = None
    """Password of Redis"""
    redis_auth_required: Flag = False
    """Refuse to start without a Redis password"""
    redis_timeout_seconds: Annotated[Seconds, Gt(0), Lt(1)] = 0.25
    """Longest wait for an answer of Redis; then the gates refuse"""
    mirror_check_interval_seconds: Period = 1
    """How often the mirror is compared with the ledger"""
    reservation_audit_interval_seconds: Period = 60
    """How often reservations are compared with the ledger"""
    read_wait_timeout_ms: Annotated[Integer, Ge(0), Le(30_000)] = 2_000
    """Longest wait of a read for the position it was asked to reach, in milliseconds"""

    alpaca_api_key_id: Secret | None = None
    """Key of the account; required when `DRY_RUN=false`"""
    alpaca_api_secret_key: Secret | None = None
    """Secret of that key; required when `DRY_RUN=false`"""
    alpaca_paper: Flag = True
    """Paper or live; must agree with the host and with the account"""
    alpaca_base_url: HttpUrl = "https://paper-api.alpaca.markets"
    """Trading, activities and account"""
    alpaca_data_url: HttpUrl = Field(default_factory=_data_url)
    """Quotes and bars"""
    alpaca_stream_url: StreamUrl = Field(default_factory=_stream_url)
    """Trade updates"""
    alpaca_data_feed: Literal["iex", "sip", "otc", "boats"] | None = None
    """Feed asked for; unset leaves it to the broker"""
    market_data_source: MarketDataSource = Field(default_factory=_market_data_source)
    """Where prices come from; `redis` reads `price:{SYMBOL}`"""
    broker_connect_timeout_seconds: Period = 1
    """Longest wait for a connection to the broker"""
    broker_read_timeout_seconds: Period = 2
    """Longest silence of the broker"""
    broker_deadline_seconds: Period = 5
    """Longest broker call as a whole; after it the outcome is unknown"""
    resolver_interval_seconds: Period = 2
    """How often unknown outcomes are looked up"""

    reconciliation_interval_seconds: Annotated[Seconds, Ge(5)] = 300
    """Time between two passes"""
    reconciliation_timeout_seconds: Annotated[Seconds, Ge(1)] = 300
    """After this long without a first pass, `startup_timed_out` is true"""
    reconciliation_max_lookups: Count = 100
    """Orders looked up one by one in a pass"""
    reconciliation_overlap_seconds: Wait = 60
    """How far a pass looks back behind the one before"""
    reconciliation_break_tolerance_seconds: Wait = 30
    """How long a difference may last before it is a break"""
    reconciliation_submitted_unconfirmed_grace_seconds: Annotated[Seconds, Ge(10)] = 300
    """Shortest time to prove that an order never reached the broker"""
    alpaca_fills_backfill_enabled: Flag = True
    """Backfill fills in periodic passes"""
    alpaca_fills_backfill_initial_lookback_hours: Annotated[Integer, Ge(1), Le(720)] = 24
    """How far the first backfill looks back"""
    alpaca_fills_backfill_page_size: Annotated[Integer, Ge(1), Le(100)] = 100
    """Activities asked for at once"""
    alpaca_fills_backfill_max_pages: Count = 5
    """Pages read in one pass; the start-up pass reads to the end"""
    fills_backfill_limit: Count = 2
    """Backfills a caller may order in the window below"""
    fills_backfill_window_seconds: Annotated[WholeSeconds, Ge(1)] = 300
    """Window of that limit"""

    circuit_breaker_enabled: Flag = True
    """False really disables the breaker's gates; shown in `/config` and a metric"""
    circuit_breaker_stale_data_seconds: Wait = 1800
    """Age of market data that trips the breaker; 0 never does"""
    circuit_breaker_broker_errors: Whole = 3
    """Broker errors in a row that trip the breaker; 0 never does"""
    circuit_breaker_quiet_period_seconds: Wait = 300
    """How long a reset breaker stays watchful; 0 not at all"""
    risk_max_position_size: Count = 1000
    """Most shares of a symbol, long or short"""
    risk_daily_loss_limit: Amount = Decimal(5000)
    """Loss of a day that trips the breaker; 0 never does"""
    risk_max_drawdown_pct: Annotated[Number, Ge(0), Lt(1)] = Decimal("0.10")
    """Drawdown that trips the breaker; 0 never does"""
    fat_finger_max_notional: Amount = Decimal(100_000)
    """Largest value of an order; 0 = check off"""
    fat_finger_max_qty: Whole = 10_000
    """Most shares in an order; 0 = check off"""
    fat_finger_max_adv_pct: Annotated[Number, Ge(0), Le(1)] = Decimal("0.05")
    """Largest part of the average daily volume in an order; 0 = check off"""
    fat_finger_max_price_age_seconds: Annotated[WholeSeconds, Ge(1)] = 30
    """Age of the oldest usable quote"""
    liquidity_check_enabled: Flag = True
    """Cap slices by volume"""
    max_slice_pct_of_adv: Annotated[Number, Gt(0), Le(1)] = Decimal("0.01")
    """Largest part of the average daily volume in a slice"""
    misfire_grace_seconds: Annotated[Seconds, Ge(1)] = 60
    """How late a slice may still be released"""
    stale_slice_expiry_seconds: Wait = 86_400
    """Age at which an unreleased slice expires; 0 = never"""
    reduce_only_lock_timeout_seconds: Annotated[Seconds, Ge(1)] = 30
    """Kept for configurations that set it; no lease is taken (docs/adr/0004)"""
    reduce_only_lock_blocking_seconds: Wait = 10
    """Kept as well; a holding that moves is read again instead"""

    performance_cache_ttl: Annotated[WholeSeconds, Ge(0)] = 300
    """How long a performance answer is reused; 0 = no cache"""
    max_performance_days: Annotated[Integer, Ge(1), Le(3660)] = 90
    """Longest span of a performance question"""
    feature_performance_dashboard: Flag = False
    """Serve daily performance"""
    strategy_activity_threshold_seconds: Annotated[Seconds, Ge(1)] = 86_400
    """A strategy whose last signal is younger is active"""

    rate_limit_mode: Literal["enforce", "log_only"] = "enforce"
    """Refuse above the limit, or only say so"""
    rate_limit_internal_factor: Count = 1
    """Multiplies the limits of services"""
    order_submit_rate_limit: Count = 40
    """Submissions of a caller in 60 s"""
    order_slice_rate_limit: Count = 10
    """Slicings of a caller in 60 s"""
    order_cancel_rate_limit: Count = 100
    """Cancels of a caller in 60 s"""

    webhook_secret: Secret | None = None
    """Key of webhook signatures; required outside dev and test"""
    webhook_timestamp_tolerance_seconds: Tolerance = 300
    """How far a signed webhook's time may be from ours"""
    internal_token_secret: Secret | None = None
    """Key of service tokens; unset = off, unless a service has its own"""
    internal_token_secrets: Mapping[str, SecretStr] = Field(default={}, exclude=True)
    """Key of one service, its id in upper case; wins over the common one"""
    internal_token_required: Flag = True
    """False accepts unsigned services; dev and test only"""
    internal_token_timestamp_tolerance_seconds: Annotated[WholeSeconds, Ge(0), Le(3600)] = 300
    """How far a service token's time may be from ours"""
    allowed_service_ids: Names = ("orchestrator", "signal_service", "execution_gateway")
    """Services that may call"""
    jwt_algorithm: JwtAlgorithm = Field(default_factory=_jwt_algorithm)
    """The one algorithm of bearer tokens"""
    jwt_public_key_path: ReadableFile | None = None
    """PEM file that verifies bearer tokens"""
    jwt_private_key_path: ReadableFile | None = None
    """PEM file that `gateway token` signs with"""
    jwt_jwks_url: HttpUrl | None = None
    """Address of the keys that verify bearer tokens"""
    jwt_hs256_secret: LongSecret | None = None
    """Key that signs and verifies bearer tokens"""
    jwt_issuer: Text = "trading-platform-web-console"
    """`iss` of bearer tokens"""
    jwt_audience: Text = "trading-platform-api"
    """`aud` of bearer tokens"""
    clock_skew_seconds: Annotated[WholeSeconds, Ge(0), Le(300)] = 30
    """Leeway for the times in bearer tokens"""
    access_token_ttl: Annotated[WholeSeconds, Ge(1), Le(86_400)] = 900
    """Life of a token minted by `gateway token`"""
    mfa_jwks_url: HttpUrl | None = None
    """Address of the keys that verify the second factor"""
    mfa_issuer: Text | None = None
    """`iss` of the second factor's token"""
    mfa_client_id: Text | None = None
    """`aud` of the second factor's token"""
    mfa_max_age_seconds: Annotated[WholeSeconds, Ge(1)] = 60
    """How long ago the second factor may have been given"""

    @property
    def is_relaxed(self) -> bool:
        """Whether this is a desk nobody trades on: dev or test."""
        return self.environment in RELAXED

    @property
    def redis_address(self) -> SecretStr:
        """`REDIS_URL`, or the same put together from host, port, database and password."""
        if self.redis_url is not None:
            return self.redis_url
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return SecretStr(f"redis://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}")

    def service_secret(self, service_id: str) -> SecretStr | None:
        """Give the key a service signs with: its own, else the common one, else none."""
        own = self.internal_token_secrets.get(service_id.upper().replace("-", "_"))
        return own or self.internal_token_secret
