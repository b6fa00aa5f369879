"""The second factor: fresh, well-signed, of the same person; anything else has its own refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from gateway.aggregates.refusals import Refusal
from gateway.api.mfa import SECOND_FACTORS, MfaRules, SecondFactor
from gateway.api.tokens import PublishedKeys
from tests.api.doubles import Hands
from tests.kit.covers import covers
from tests.kit.issuer import STRANGER, Issuer


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer.running() as running:
        yield running


def second_factor(issuer: Issuer, url: str | None = None) -> SecondFactor:
    clock = Hands(datetime.now(UTC) + timedelta(seconds=5))  # tokens are made while the test runs
    rules = MfaRules(
        keys=PublishedKeys(url or issuer.url, clock),
        issuer=issuer.issuer,
        client_id=issuer.client_id,
        max_age_seconds=60,
    )
    return SecondFactor(rules=rules, clock=clock)


async def code_of(check: SecondFactor, id_token: str | None) -> str:
    with pytest.raises(Refusal) as refused:
        await check(id_token, "alice")
    assert refused.value.gate == "mfa"
    return refused.value.code


async def test_every_second_factor_lets_its_owner_through(issuer: Issuer) -> None:
    check = second_factor(issuer)
    for method in SECOND_FACTORS:
        await check(issuer.id_token(amr=["pwd", method]), "alice")
    assert issuer.asked == 1


@covers("SEC:S-11")
async def test_a_second_factor_is_fresh_up_to_its_age_and_not_a_second_longer(issuer: Issuer) -> None:
    check = second_factor(issuer)
    now = int(check.clock.now().timestamp())
    await check(issuer.id_token(iat=now, auth_time=now - 59), "alice")
    for away in (-61, 5):
        given = issuer.id_token(iat=now, auth_time=now + away)
        assert await code_of(check, given) == "mfa_expired"


@covers("SEC:S-11")
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"amr": ["pwd"]}, "mfa_required"),
        ({"amr": None}, "mfa_required"),
        ({"amr": "otp"}, "mfa_required"),
        ({"sub": "mallory"}, "token_mismatch"),
        ({"auth_time": 0}, "mfa_expired"),
        ({"auth_time": "early"}, "mfa_invalid"),
        ({"auth_time": None}, "mfa_invalid"),
        ({"exp": 1}, "mfa_invalid"),
        ({"nbf": 2**39}, "mfa_invalid"),
        ({"iss": "https://elsewhere.test"}, "mfa_invalid"),
        ({"aud": "another-client"}, "mfa_invalid"),
        ({"kid": "second"}, "mfa_invalid"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_an_id_token_has_its_own_code(
    issuer: Issuer, claims: dict[str, Any], code: str
) -> None:
    assert await code_of(second_factor(issuer), issuer.id_token(**claims)) == code


async def test_a_token_nobody_known_has_signed_is_invalid(issuer: Issuer) -> None:
    check = second_factor(issuer)
    claims = jwt.decode(issuer.id_token(), options={"verify_signature": False})
    shared = jwt.encode(claims, "a-secret-everybody-could-know-0123456789", algorithm="HS256")
    unsigned = jwt.encode(claims, None, algorithm="none")
    for token in (issuer.id_token(key=STRANGER), shared, unsigned, "no token at all"):
        assert await code_of(check, token) == "mfa_invalid"


async def test_no_token_is_required_before_anything_else_is_asked(issuer: Issuer) -> None:
    unconfigured = SecondFactor(rules=None, clock=Hands())
    for check in (second_factor(issuer), unconfigured):
        assert await code_of(check, None) == "mfa_required"
        assert await code_of(check, "") == "mfa_required"
    assert await code_of(unconfigured, issuer.id_token()) == "mfa_unavailable"
    assert issuer.asked == 0


async def test_keys_that_cannot_be_fetched_are_no_reason_to_believe(issuer: Issuer) -> None:
    check = second_factor(issuer, "http://127.0.0.1:1/keys")
    assert await code_of(check, issuer.id_token()) == "mfa_unavailable"
