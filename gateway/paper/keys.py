"""Who may come in: key pairs and the accounts they open."""

from __future__ import annotations

import base64
import binascii
import hmac

import msgspec
from starlette.datastructures import Headers


class Key(msgspec.Struct, frozen=True, kw_only=True):
    key_id: str
    secret: str
    account: str = "PA0000000001"


class Keys:
    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._original = keys
        self.replace(keys)

    def restore(self) -> None:
        self.replace(self._original)

    def replace(self, keys: tuple[Key, ...]) -> None:
        self._keys = {key.key_id: key for key in keys}

    def account(self, key_id: str, secret: str) -> str | None:
        """The account the pair opens; None when it opens none."""
        key = self._keys.get(key_id)
        if key is None or not hmac.compare_digest(key.secret.encode(), secret.encode()):
            return None
        return key.account

    def account_of(self, headers: Headers) -> str | None:
        if (key_id := headers.get("apca-api-key-id")) is not None:
            return self.account(key_id, headers.get("apca-api-secret-key", ""))
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        return self._basic(credentials) if scheme.lower() == "basic" else None

    def _basic(self, credentials: str) -> str | None:
        try:
            key_id, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self.account(key_id, secret)

    @property
    def all(self) -> tuple[Key, ...]:
        return tuple(self._keys.values())

    @property
    def first_account(self) -> str:
        return next(iter(self._keys.values())).account
