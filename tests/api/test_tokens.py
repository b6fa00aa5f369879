"""Bearer tokens: what is accepted, and every way they are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.aggregates.vocabulary import ActorKind, StrategyId
from gateway.api.refusals import InvalidToken
from gateway.api.roles import PSEUDO_STRATEGIES, ROLES, Principal
from gateway.api.tokens import KnownTokens, installation_secret, mint, principal_from
from tests.api.doubles import NOW, Hands
from tests.api.house import JWT_SECRET, Straw, straw_house, token_rules
from tests.kit.covers import covers

CLAIMS: dict[str, Any] = {
    "iss": "trading-platform-web-console",
    "aud": "trading-platform-api",
    "sub": "alice",
    "role": "viewer",
    "strategies": ["alpha_baseline"],
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
}
AT = int(NOW.timestamp())


def signed(headers: dict[str, Any] | None = None, *, key: str = JWT_SECRET, **claims: Any) -> str:
    merged = {name: value for name, value in (CLAIMS | claims).items() if value is not ...}
    return jwt.encode(merged, key, algorithm="HS256", headers=headers)


async def status_of(straw: Straw, token: str) -> tuple[int, str | None]:
    answer = await straw.ask("GET", "/api/v1/config", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("code")


async def test_a_sound_token_is_let_in(straw: Straw) -> None:
    assert await status_of(straw, signed()) == (200, None)


@covers("SEC:S-02")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody-else"},
        {"aud": "another-api"},
        {"iss": ...},
        {"aud": ...},
        {"sub": ...},
        {"exp": ...},
        {"iat": ...},
        {"exp": AT - 31},
        {"iat": AT - 1000, "exp": AT - 31},
        {"iat": AT + 31, "exp": AT + 900},
        {"nbf": AT + 31},
        {"exp": AT + 86_401},
        {"exp": AT - 900, "iat": AT},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"iat": -1},
        {"nbf": "now"},
        {"sub": ""},
        {"sub": "x" * 129},
        {"sub": 5},
        {"sub": "a\nb"},
        {"type": "robot"},
        {"strategies": "alpha_baseline"},
        {"strategies": [1]},
        {"strategies": ["a b"]},
        {"strategies": ["*", "a"]},
    ],
    ids=str,
)
async def test_a_token_with_wrong_claims_is_401(straw: Straw, claims: dict[str, Any]) -> None:
    assert await status_of(straw, signed(**claims)) == (401, "invalid_token")


@covers("SEC:S-04")
@pytest.mark.parametrize(
    "claims", [{"exp": AT - 29, "iat": AT - 900}, {"iat": AT + 29}, {"nbf": AT + 29}, {"exp": AT + 86_400}]
)
async def test_the_leeway_is_the_configured_skew_and_no_more(straw: Straw, claims: dict[str, Any]) -> None:
    assert await status_of(straw, signed(**claims)) == (200, None)


def _unsigned(header: dict[str, str]) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(CLAIMS)}."


@covers("SEC:S-03")
@pytest.mark.parametrize(
    "token",
    [
        _unsigned({"alg": "none", "typ": "JWT"}),
        _unsigned({"alg": "None"}),
        _unsigned({"alg": "HS256"}),
        signed(key="another-secret-0123456789-0123456789"),
        signed({"jku": "https://evil.example/keys"}),
        signed({"x5u": "https://evil.example/cert"}),
        signed({"jwk": {"kty": "oct", "k": "AA"}}),
        jwt.encode(CLAIMS, JWT_SECRET * 2, algorithm="HS512"),
        "not.a.token",
        "",
        "a" * 9000,
        signed() + "x",
    ],
)
async def test_a_token_that_is_not_signed_as_required_is_401(straw: Straw, token: str) -> None:
    assert await status_of(straw, token) == (401, "invalid_token")


@covers("SEC:S-03")
async def test_hs256_keyed_with_the_public_key_is_401() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    straw = straw_house(rules=token_rules(pem.decode(), "RS256"))
    head, claims = signed().split(".")[:2]
    digest = hmac.new(pem, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{claims}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert await status_of(straw, forged) == (401, "invalid_token")
    honest = jwt.encode(CLAIMS, private, algorithm="RS256")
    assert await status_of(straw, honest) == (200, None)


async def test_es256_works_with_its_key() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    straw = straw_house(rules=token_rules(pem.decode(), "ES256"))
    assert await status_of(straw, jwt.encode(CLAIMS, private, algorithm="ES256")) == (200, None)


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwdw==", "Bearer", "Token x", ""])
async def test_another_scheme_is_401(straw: Straw, scheme: str) -> None:
    answer = await straw.ask("GET", "/api/v1/config", headers={"Authorization": scheme})
    assert answer.status_code == 401


async def test_two_authorization_headers_are_401(straw: Straw) -> None:
    one = (b"Authorization", straw.bearer()["Authorization"].encode())
    answer = await straw.ask("GET", "/api/v1/config", headers=[one, one])
    assert answer.status_code == 401


@covers("SEC:S-45")
async def test_bad_tokens_cannot_be_told_apart_by_their_problem(straw: Straw) -> None:
    problems = []
    for token in (signed(exp=AT - 31), signed(key="another-secret-0123456789-0123456789"), "x"):
        answer = await straw.ask("GET", "/api/v1/config", headers={"Authorization": f"Bearer {token}"})
        problems.append({k: v for k, v in answer.json().items() if k != "request_id"})
    assert problems[0] == problems[1] == problems[2]


@covers("SEC:S-06")
@pytest.mark.parametrize("role", ["root", "orchestrator", None, "ADMIN"])
async def test_an_unknown_role_may_nothing(straw: Straw, role: str | None) -> None:
    token = signed(role=role if role is not None else ...)
    answer = await straw.ask(
        "GET", "/api/v1/kill-switch/status", headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_a_service_token_has_the_services_permissions_whatever_role_it_claims() -> None:
    token = signed(type="service", sub="orchestrator", role="admin")
    principal = await principal_from(token, token_rules(), NOW)
    assert principal.kind is ActorKind.SERVICE
    assert {p.value for p in principal.permissions} == {
        "view_positions",
        "view_circuit_breaker",
        "submit_order",
        "cancel_order",
    }


@covers("SEC:S-06")
async def test_a_minted_token_is_accepted_until_it_expires() -> None:
    rules = token_rules()
    token = mint(
        sub="alice",
        role="operator",
        strategies=["a", "b"],
        life=timedelta(minutes=15),
        now=NOW,
        rules=rules,
        signing_key=JWT_SECRET,
    )
    principal = await principal_from(token, rules, NOW + timedelta(minutes=15))
    assert (principal.sub, principal.strategies) == ("alice", frozenset({"a", "b"}))
    with pytest.raises(InvalidToken):
        await principal_from(token, rules, NOW + timedelta(minutes=15, seconds=31))


@covers("SEC:S-04")
@pytest.mark.parametrize("life", [timedelta(hours=24, seconds=1), timedelta(), timedelta(seconds=-1)])
def test_no_token_is_minted_for_more_than_a_day(life: timedelta) -> None:
    with pytest.raises(ValueError, match="24 hours"):
        mint(
            sub="a",
            role="viewer",
            strategies=[],
            life=life,
            now=NOW,
            rules=token_rules(),
            signing_key=JWT_SECRET,
        )


@covers("SEC:S-05")
def test_the_installation_s_secret_is_made_once_and_is_the_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    secret = installation_secret(folder)
    assert installation_secret(folder) == secret
    assert len(secret) >= 43
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(PermissionError, match="read by others"):
        installation_secret(folder)


async def test_a_remembered_token_still_expires_and_is_read_again_after_a_minute(straw: Straw) -> None:
    token = signed(exp=AT + 100)
    assert await status_of(straw, token) == (200, None)
    straw.clock.at += timedelta(seconds=61)
    assert await status_of(straw, token) == (200, None)
    straw.clock.at += timedelta(seconds=70)
    assert await status_of(straw, token) == (401, "invalid_token")


async def test_tokens_are_remembered_up_to_a_bound() -> None:
    known = KnownTokens(token_rules(), Hands())
    for number in range(KnownTokens.MOST + 1):
        await known.principal(signed(sub=f"user-{number}"))
    assert len(known._known) == 1


def test_a_scope_and_its_members_agree() -> None:
    for role, permissions in ROLES.items():
        for strategies in (None, frozenset[StrategyId](), frozenset({StrategyId("a")})):
            caller = Principal(
                sub=role,
                kind=ActorKind.USER,
                permissions=permissions,
                strategies=strategies,
                auth_method="jwt",
            )
            for name in ("a", "b", *PSEUDO_STRATEGIES):
                assert caller.sees(name) is (caller.scope is None or name in caller.scope)


@covers("SEC:S-06")
async def test_a_service_that_was_withdrawn_is_not_believed_with_a_token_either() -> None:
    straw = straw_house(rules=replace(token_rules(), services=frozenset()))
    headers = straw.bearer(None, sub="orchestrator", kind=ActorKind.SERVICE)
    answer = await straw.ask("GET", "/api/v1/positions", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
