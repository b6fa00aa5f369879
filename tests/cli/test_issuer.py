"""The local issuer of second factors: what it mints is believed, and it is for dev and test alone."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx2
import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.api.refusals import MfaInvalid, TokenMismatch
from gateway.cli.endings import CommandFailed
from gateway.cli.issuer import mint_id_token, published
from gateway.main.manual import second_factor
from gateway.settings import Settings, load_settings
from tests.cli.conftest import Gateway


def settings(home: Path, **variables: str) -> Settings:
    return load_settings({"GATEWAY_HOME": str(home), **variables})


async def test_what_it_mints_is_the_second_factor_of_its_subject_and_of_nobody_else(tmp_path: Path) -> None:
    with published(tmp_path) as variables:
        ours = settings(tmp_path, **variables)
        factor = second_factor(ours, SystemClock())
        token = mint_id_token(ours, sub="alice")
        await factor(token, "alice")
        with pytest.raises(TokenMismatch):
            await factor(token, "bob")
        elsewhere = mint_id_token(settings(tmp_path / "elsewhere", **variables), sub="alice")
        with pytest.raises(MfaInvalid):
            await factor(elsewhere, "alice")


def test_it_describes_itself_as_openid_connect_asks_and_says_nothing_else(tmp_path: Path) -> None:
    with published(tmp_path) as variables, httpx2.Client() as client:
        issuer = variables["MFA_ISSUER"]
        described = client.get(f"{issuer}/.well-known/openid-configuration").json()
        assert (described["issuer"], described["jwks_uri"]) == (issuer, variables["MFA_JWKS_URL"])
        (key,) = client.get(described["jwks_uri"]).json()["keys"]
        assert key["kty"] == "RSA"
        assert key.keys().isdisjoint({"d", "p", "q"})
        assert client.get(f"{issuer}/issuer.pem").status_code == 404


def test_its_key_outlives_a_restart_and_is_its_owners(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with published(tmp_path) as variables:
            keys.append(httpx2.get(variables["MFA_JWKS_URL"]).json())
    assert keys[0] == keys[1]
    assert stat.S_IMODE((tmp_path / "issuer.pem").stat().st_mode) == 0o600


def test_outside_dev_and_test_it_neither_starts_nor_mints(gateway: Gateway, tmp_path: Path) -> None:
    secret = "0123456789abcdef" * 4
    production = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": "postgresql://app@db/ledger",
        "JWT_ALGORITHM": "HS256",
        "JWT_HS256_SECRET": secret,
        "WEBHOOK_SECRET": secret,
        "MFA_ISSUER": "https://login.desk.test",
        "MFA_CLIENT_ID": "execution-gateway",
    }
    for arguments in (("issuer",), ("id-token", "--sub", "alice")):
        ended = gateway(*arguments, **production)
        assert ended.exit_code == 2, ended.output
        assert "the local issuer is for dev and test" in ended.output


def test_without_an_issuer_nothing_is_minted(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="start `gateway run`"):
        mint_id_token(settings(tmp_path), sub="alice")
