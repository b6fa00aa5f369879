"""A local issuer of second factors for dev and test: its key over HTTP, and OIDC id tokens signed with it.

It asks nobody for a one-time password. Whoever can read the key's file can say that there was one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from rich.console import Console

from gateway.cli.endings import CommandFailed
from gateway.settings import ConfigurationErrors, Settings

LOCAL: Final = "127.0.0.1"
CLIENT_ID: Final = "execution-gateway"
_KEYS: Final = "/jwks"
_LIFE_SECONDS: Final = 300


def issue(settings: Settings, console: Console, *, port: int) -> None:
    """Publish the key until Ctrl-C. Raises ConfigurationErrors outside dev and test."""
    _refuse_outside_dev(settings)
    with published(settings.gateway_home, port) as variables:
        console.print("Start the gateway with these, and mint with `gateway id-token`:", style="dim")
        for name, value in variables.items():
            console.print(f"export {name}={value}", markup=False, soft_wrap=True)
        threading.Event().wait()


def mint_id_token(settings: Settings, *, sub: str) -> str:
    """An id token as if `sub` had just given a one-time password; fresh for MFA_MAX_AGE_SECONDS.

    Raises ConfigurationErrors outside dev and test, CommandFailed where no local issuer is configured.
    """
    _refuse_outside_dev(settings)
    if settings.mfa_issuer is None or settings.mfa_client_id is None:
        raise CommandFailed(
            "no issuer is configured: start `gateway run`, or `gateway issuer` and export MFA_…"
        )
    key = _key(settings.gateway_home)
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": settings.mfa_issuer,
        "aud": settings.mfa_client_id,
        "sub": sub,
        "iat": now,
        "exp": now + _LIFE_SECONDS,
        "auth_time": now,
        "acr": "mfa",
        "amr": ["pwd", "otp"],
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": _jwk(key)["kid"]})


@contextmanager
def published(home: Path, port: int = 0) -> Iterator[Mapping[str, str]]:
    """Answer on this machine only; gives the variables that point a gateway here."""
    key = _key(home)
    server = ThreadingHTTPServer((LOCAL, port), BaseHTTPRequestHandler)
    url = f"http://{LOCAL}:{server.server_port}"
    described = {
        "issuer": url,
        "jwks_uri": f"{url}{_KEYS}",
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
    }
    pages = {"/.well-known/openid-configuration": described, _KEYS: {"keys": [_jwk(key)]}}
    server.RequestHandlerClass = partial(_Pages, pages)
    answering = threading.Thread(target=server.serve_forever, name="issuer", daemon=True)
    answering.start()
    try:
        yield {"MFA_JWKS_URL": f"{url}{_KEYS}", "MFA_ISSUER": url, "MFA_CLIENT_ID": CLIENT_ID}
    finally:
        server.shutdown()
        server.server_close()
        answering.join()


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, pages: Mapping[str, object], *arguments: Any) -> None:
        self.pages = pages
        super().__init__(*arguments)

    def do_GET(self) -> None:
        page = self.pages.get(self.path)
        body = json.dumps(page).encode()
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
        """Say nothing; the gateway logs what it fetched."""


def _refuse_outside_dev(settings: Settings) -> None:
    if not settings.is_relaxed:
        raise ConfigurationErrors(
            [f"ENVIRONMENT={settings.environment}: the local issuer is for dev and test"]
        )


def _key(home: Path) -> rsa.RSAPrivateKey:
    """The key of this installation, made at first use, readable by its owner only."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = home / "issuer.pem"
    if not file.exists():
        fresh = home / f"issuer.pem.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(
            rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        with suppress(FileExistsError):  # another process was first; its key counts
            os.link(fresh, file)
        fresh.unlink()
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    return public | {"kid": sha256(public["n"].encode()).hexdigest()[:16], "use": "sig", "alg": "RS256"}
