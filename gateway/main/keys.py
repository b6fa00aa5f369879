"""Which key bearer tokens are signed with."""

from __future__ import annotations

from gateway.api.tokens import installation_secret
from gateway.settings import ConfigurationErrors, Settings


def signing_key(settings: Settings) -> str | bytes:
    """The private key, the shared secret or, in dev and test, this installation's own secret.

    Raises ConfigurationErrors where there is none: tokens are then minted elsewhere.
    """
    if settings.jwt_algorithm != "HS256" and settings.jwt_private_key_path is not None:
        return settings.jwt_private_key_path.read_bytes()
    if settings.jwt_algorithm == "HS256" and settings.jwt_hs256_secret is not None:
        return settings.jwt_hs256_secret.get_secret_value()
    if settings.jwt_algorithm == "HS256" and settings.is_relaxed:
        return installation_secret(settings.gateway_home)
    raise ConfigurationErrors(
        ["there is no key to sign with: set JWT_PRIVATE_KEY_PATH (RS256, ES256) or JWT_HS256_SECRET (HS256)"]
    )
