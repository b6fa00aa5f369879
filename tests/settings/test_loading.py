"""Reading the configuration: strictly, completely, and without giving a secret away."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import ConfigurationErrors, Settings, load_settings
from tests.kit.covers import covers

KEY = "k" * 32


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigurationErrors) as caught:
        load_settings(environ)
    return caught.value.problems


def only_problem(**environ: str) -> str:
    (problem,) = problems(**environ)
    return problem


def desk(**environ: str) -> dict[str, str]:
    """A complete configuration of a desk that is neither dev nor test."""
    complete = {
        "ENVIRONMENT": "production",
        "WEBHOOK_SECRET": KEY,
        "JWT_JWKS_URL": "https://keys.example/jwks",
        "DATABASE_URL": "postgresql://app:s3cret@db/ledger",
    }
    return {name: text for name, text in (complete | environ).items() if text}


def test_nothing_set_is_a_dry_run_for_development() -> None:
    settings = load_settings({})
    assert settings.dry_run
    assert settings.is_relaxed
    assert settings.model_fields_set <= {"pod_name", "internal_token_secrets"}
    assert settings.market_data_source == "embedded"
    assert settings.jwt_algorithm == "HS256"
    assert settings.http_host == "127.0.0.1"


def test_the_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings({}).dry_run = False  # type: ignore[misc]


@pytest.mark.parametrize("text", ["true", "1", "YES", "On", " true "])
def test_each_word_for_true_is_true(text: str) -> None:
    assert load_settings({"LIQUIDITY_CHECK_ENABLED": text}).liquidity_check_enabled is True


@pytest.mark.parametrize("text", ["false", "0", "No", "OFF"])
def test_each_word_for_false_is_false(text: str) -> None:
    assert load_settings({"LIQUIDITY_CHECK_ENABLED": text}).liquidity_check_enabled is False


def test_a_blank_value_counts_as_unset() -> None:
    assert load_settings({"DRY_RUN": "  ", "HTTP_PORT": ""}) == load_settings({})


def test_an_unknown_variable_is_ignored() -> None:
    assert load_settings({"NO_SUCH_VARIABLE": "1"}) == load_settings({})


def test_a_word_that_is_no_boolean_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ConfigurationErrors) as caught:
        load_settings({"DRY_RUN": "maybe"})
    assert str(caught.value) == (
        'configuration error: DRY_RUN="maybe" is not a boolean (use true/1/yes/on or false/0/no/off)'
    )


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("HTTP_PORT", "80.5", "is not an integer (use digits only, such as 30)"),
        ("HTTP_PORT", "65536", "is not allowed (use integer 0..65535)"),
        ("FAT_FINGER_MAX_QTY", "-1", "is not allowed (use integer ≥ 0)"),
        ("FAT_FINGER_MAX_NOTIONAL", "1e5", "is not a decimal (use plain notation, such as 0.05)"),
        ("FAT_FINGER_MAX_NOTIONAL", "nan", "is not a decimal (use plain notation, such as 0.05)"),
        ("FAT_FINGER_MAX_NOTIONAL", "1_000", "is not a decimal (use plain notation, such as 0.05)"),
        ("MAX_SLICE_PCT_OF_ADV", "0", "is not allowed (use decimal > 0, ≤ 1)"),
        ("RISK_MAX_DRAWDOWN_PCT", "1", "is not allowed (use decimal ≥ 0, < 1)"),
        ("RECONCILIATION_INTERVAL_SECONDS", "4.9", "is not allowed (use seconds ≥ 5)"),
        ("BROKER_READ_TIMEOUT_SECONDS", "2s", "is not a decimal (use plain notation, such as 0.05)"),
        ("LOG_LEVEL", "debug", "is not allowed (use DEBUG, INFO, WARNING, ERROR)"),
        ("ENVIRONMENT", "Prod", "is not allowed (use `^[a-z0-9_-]{1,32}$`)"),
        ("STRATEGY_ID", "-alpha", "is not allowed (use `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,49}$`)"),
        ("ALPACA_BASE_URL", "paper-api", "is not a URL of the kind https:// or http://"),
        (
            "TRUSTED_PROXY_HOSTS",
            "10.0.0.1, here",
            "is not a list of addresses (use IPs or CIDRs, separated by commas)",
        ),
        (
            "JWT_PUBLIC_KEY_PATH",
            "/no/such.pem",
            "names a file that cannot be read (No such file or directory)",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(variable: str, text: str, says: str) -> None:
    assert only_problem(**{variable: text}) == f'{variable}="{text}" {says}'


@covers("SEC:S-08")
def test_all_problems_are_said_at_once() -> None:
    found = problems(DRY_RUN="maybe", HTTP_PORT="x", ALPACA_BASE_URL="https://api.alpaca.markets")
    assert [problem.split("=")[0] for problem in found] == ["DRY_RUN", "HTTP_PORT", "ALPACA_PAPER"]


def test_a_rule_about_a_variable_that_could_not_be_read_stays_silent() -> None:
    assert only_problem(ALPACA_PAPER="perhaps", ALPACA_BASE_URL="https://api.alpaca.markets").startswith(
        "ALPACA_PAPER="
    )


@covers("SEC:S-08")
@pytest.mark.parametrize("variable", ["JWT_HS256_SECRET", "DATABASE_URL", "REDIS_URL"])
def test_the_value_of_a_secret_is_never_shown(variable: str) -> None:
    with pytest.raises(ConfigurationErrors) as caught:
        load_settings({variable: "hunter2"})
    assert variable in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__context__)


def test_no_secret_is_in_the_text_form_of_the_settings() -> None:
    settings = load_settings(
        {
            "REDIS_PASSWORD": "hunter2",
            "DATABASE_URL": "postgresql://a:hunter2@b/c",
            "INTERNAL_TOKEN_SECRET_X": "hunter2",
        }
    )
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()} {settings.redis_address}"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    settings = load_settings({"JWT_HS256_SECRET_FILE": str(tmp_path / "key")})
    assert settings.jwt_hs256_secret is not None
    assert settings.jwt_hs256_secret.get_secret_value() == KEY


def test_the_secret_of_a_service_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    settings = load_settings({"INTERNAL_TOKEN_SECRET_ORCHESTRATOR_FILE": str(tmp_path / "key")})
    secret = settings.service_secret("orchestrator")
    assert secret is not None
    assert secret.get_secret_value() == KEY


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    assert "both set" in only_problem(WEBHOOK_SECRET=KEY, WEBHOOK_SECRET_FILE=str(tmp_path))


def test_a_secret_file_that_is_not_there_is_refused() -> None:
    assert (
        only_problem(WEBHOOK_SECRET_FILE="/no/such")
        == 'WEBHOOK_SECRET_FILE="/no/such" is not a readable file'
    )


def test_a_service_without_a_key_of_its_own_uses_the_common_one() -> None:
    settings = load_settings(
        {"INTERNAL_TOKEN_SECRET": "common", "INTERNAL_TOKEN_SECRET_SIGNAL_SERVICE": "own"}
    )
    keys = [settings.service_secret(service) for service in ("orchestrator", "signal_service")]
    assert [key.get_secret_value() for key in keys if key] == ["common", "own"]


def test_texts_become_values_of_their_kind() -> None:
    settings = load_settings(
        {
            "FAT_FINGER_MAX_NOTIONAL": "2500.50",
            "TRUSTED_PROXY_HOSTS": "10.0.0.0/8, ::1",
            "ALLOWED_SERVICE_IDS": "one, two",
            "BROKER_CONNECT_TIMEOUT_SECONDS": "0.5",
        }
    )
    assert settings.fat_finger_max_notional == Decimal("2500.50")
    assert settings.trusted_proxy_hosts == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.allowed_service_ids == ("one", "two")
    assert settings.broker_connect_timeout_seconds == 0.5


def test_the_short_form_of_a_postgres_url_is_made_long() -> None:
    url = load_settings({"DATABASE_URL": "postgres://a:b@c/d"}).database_url
    assert url.get_secret_value() == "postgresql://a:b@c/d"


def test_an_embedded_database_is_a_usable_url(database: str) -> None:
    assert load_settings({"DATABASE_URL": database}).database_url.get_secret_value() == database


def test_an_embedded_redis_is_a_usable_url(redis_url: str) -> None:
    assert load_settings({"REDIS_URL": redis_url}).redis_address.get_secret_value() == redis_url


def test_the_parts_of_the_redis_address_are_put_together() -> None:
    settings = load_settings(
        {"REDIS_HOST": "cache", "REDIS_PORT": "7000", "REDIS_DB": "3", "REDIS_PASSWORD": "p@ss"}
    )
    assert settings.redis_address.get_secret_value() == "redis://:p%40ss@cache:7000/3"


def test_a_broker_on_this_machine_serves_data_and_stream_too() -> None:
    settings = load_settings({"ALPACA_BASE_URL": "http://127.0.0.1:9000/"})
    assert settings.alpaca_base_url == "http://127.0.0.1:9000"
    assert settings.alpaca_data_url == "http://127.0.0.1:9000"
    assert settings.alpaca_stream_url == "ws://127.0.0.1:9000/stream"


def test_the_real_broker_has_its_own_address_for_data() -> None:
    settings = load_settings({})
    assert settings.alpaca_data_url == "https://data.alpaca.markets"
    assert settings.alpaca_stream_url == "wss://paper-api.alpaca.markets/stream"


def test_the_pod_is_named_after_the_host_unless_it_has_a_name() -> None:
    assert load_settings({}).pod_name == "unknown"
    assert load_settings({"HOSTNAME": "box"}).pod_name == "box"
    assert load_settings({"HOSTNAME": "box", "POD_NAME": "pod-1"}).pod_name == "pod-1"


def test_a_complete_desk_starts() -> None:
    settings = load_settings(desk())
    assert not settings.is_relaxed
    assert settings.jwt_algorithm == "RS256"


@covers("SEC:S-07", "SEC:S-08", "SEC:S-09")
@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"DRY_RUN": "false", "ALPACA_API_KEY_ID": "k"}, "DRY_RUN=false needs"),
        ({"ALPACA_BASE_URL": "https://api.alpaca.markets"}, "ALPACA_PAPER=true contradicts"),
        ({"ALPACA_PAPER": "false"}, "ALPACA_PAPER=false contradicts"),
        (
            {"ALPACA_PAPER": "false", "ALPACA_BASE_URL": "http://localhost:1"},
            "ALPACA_PAPER=false contradicts",
        ),
        ({"REDIS_AUTH_REQUIRED": "true"}, "REDIS_AUTH_REQUIRED=true needs"),
        ({"DB_POOL_MIN_SIZE": "11"}, "DB_POOL_MIN_SIZE is above"),
        (
            {"REDUCE_ONLY_LOCK_TIMEOUT_SECONDS": "5"},
            "REDUCE_ONLY_LOCK_TIMEOUT_SECONDS must be above BROKER_DEADLINE",
        ),
        (
            {"REDUCE_ONLY_LOCK_TIMEOUT_SECONDS": "6", "BROKER_READ_TIMEOUT_SECONDS": "5"},
            "REDUCE_ONLY_LOCK_TIMEOUT_SECONDS must be above BROKER_CONNECT",
        ),
        ({"JWT_HS256_SECRET": KEY, "JWT_JWKS_URL": "https://a/b"}, "more than one of"),
        ({"JWT_ALGORITHM": "RS256"}, "JWT_ALGORITHM does not fit"),
        ({"JWT_JWKS_URL": "https://a/b"}, "JWT_ALGORITHM does not fit"),
        ({"JWT_HS256_SECRET": "k" * 31}, "JWT_HS256_SECRET is too short (use at least 32 bytes)"),
        (desk(WEBHOOK_SECRET=""), "outside dev and test WEBHOOK_SECRET is required"),
        (desk(WEBHOOK_SECRET="k" * 31), "need at least 32 bytes"),
        (desk(INTERNAL_TOKEN_SECRET_ORCHESTRATOR="short"), "need at least 32 bytes"),
        (desk(JWT_JWKS_URL=""), "outside dev and test one of JWT_PUBLIC_KEY_PATH"),
        (desk(INTERNAL_TOKEN_REQUIRED="false"), "INTERNAL_TOKEN_REQUIRED=false is for"),
        (desk(DATABASE_URL=""), "the default database password is refused"),
        (desk(DATABASE_OWNER_URL="postgresql://o:trader@db/x"), "the default database password is refused"),
    ],
)
def test_variables_that_contradict_each_other_refuse_to_start(environ: dict[str, str], says: str) -> None:
    assert says in only_problem(**environ)


def test_embedded_prices_are_refused_for_live_trading() -> None:
    live = {
        "DRY_RUN": "false",
        "ALPACA_PAPER": "false",
        "ALPACA_BASE_URL": "https://api.alpaca.markets",
        "ALPACA_API_KEY_ID": "k",
        "ALPACA_API_SECRET_KEY": "s",
    }
    assert load_settings(desk(**live)).market_data_source == "alpaca"
    assert "MARKET_DATA_SOURCE=embedded" in only_problem(**desk(**live, MARKET_DATA_SOURCE="embedded"))


def test_every_field_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
