"""What a variable may hold: how its text is read, and what to say when it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints

_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_SHORTEST_KEY_BYTES: Final = 32


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("is not a boolean (use true/1/yes/on or false/0/no/off)") from None


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("is not an integer (use digits only, such as 30)")
    return int(text)


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError("is not a decimal (use plain notation, such as 0.05)")
    return Decimal(text)


def _seconds(text: str) -> float:
    return float(_decimal(text))


def _url(*schemes: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.netloc or parts.scheme == "unix"):
            raise ValueError(f"is not a URL of the kind {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return text.rstrip("/")

    return checked


def _postgres_url(text: str) -> str:
    """Let SQLAlchemy read it too: it refuses the short form of the scheme."""
    checked = _url("postgresql", "postgres")(text)
    return f"postgresql:{checked.partition(':')[2]}"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part) for part in _listed(text))
    except ValueError:
        raise ValueError("is not a list of addresses (use IPs or CIDRs, separated by commas)") from None


def _readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"names a file that cannot be read ({error.strerror})") from None
    return path


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < _SHORTEST_KEY_BYTES:
        raise ValueError(f"is too short (use at least {_SHORTEST_KEY_BYTES} bytes)")
    return secret


Flag = Annotated[bool, BeforeValidator(_boolean), "bool"]
Integer = Annotated[int, BeforeValidator(_integer), "integer"]
Whole = Annotated[Integer, Ge(0)]
Count = Annotated[Integer, Ge(1)]
Port = Annotated[Integer, Ge(0), Le(65535)]
Number = Annotated[Decimal, BeforeValidator(_decimal), "decimal"]
Amount = Annotated[Number, Ge(0)]
Seconds = Annotated[float, BeforeValidator(_seconds), "seconds"]
WholeSeconds = Annotated[int, BeforeValidator(_integer), "whole seconds"]
Wait = Annotated[Seconds, Ge(0)]
Period = Annotated[Seconds, Gt(0)]
Tolerance = Annotated[WholeSeconds, Ge(1), Le(3600)]
Text = Annotated[str, "text"]
Environment = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,32}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,49}$")]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed), "comma list"]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks), "IPs, CIDRs"]
HttpUrl = Annotated[str, BeforeValidator(_url("https", "http")), "URL"]
StreamUrl = Annotated[str, BeforeValidator(_url("wss", "ws")), "URL"]
ReadableFile = Annotated[Path, AfterValidator(_readable), "path"]
Folder = Annotated[Path, "path"]
Secret = Annotated[SecretStr, "secret"]
LongSecret = Annotated[SecretStr, AfterValidator(_long_enough), "secret, at least 32 bytes"]
PostgresUrl = Annotated[SecretStr, BeforeValidator(_postgres_url), "secret URL"]
RedisUrl = Annotated[SecretStr, BeforeValidator(_url("redis", "rediss", "unix")), "secret URL"]
