"""Reading a request body: bounded while it streams, and stricter than JSON where JSON is ambiguous."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from gateway.api.json_types import number_from_text
from gateway.api.refusals import BodyTooLarge, BodyTooSlow

JSON_LIMIT: Final = 64 * 1024
WEBHOOK_LIMIT: Final = 256 * 1024
DEEPEST: Final = 32
PATIENCE_SECONDS: Final = 10.0


class Unacceptable(ValueError):
    """The bytes are not the JSON we accept; the words say why and never repeat them."""


async def read_bounded(request: Request, limit: int, *, patience_seconds: float = PATIENCE_SECONDS) -> bytes:
    """The body, at most `limit` bytes. Raises BodyTooLarge as soon as more is promised or has come,
    and BodyTooSlow when it dribbles in.

    The framework's own limit answers 413 before it is known who asks, so it is not used.
    """
    promised = request.headers.get("content-length", "")
    if promised.isdecimal() and int(promised[:20]) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")
    try:
        async with asyncio.timeout(patience_seconds):
            return await _collect(request, limit)
    except TimeoutError as error:
        raise BodyTooSlow(f"the body took longer than {patience_seconds:g} seconds") from error


async def _collect(request: Request, limit: int) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"the body is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


class BoundedRequest(Request):
    """A request whose body is bounded and whose JSON is read by `parse_object`."""

    _object: dict[str, Any]

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_bounded(self, JSON_LIMIT)
        return self._body

    async def json(self) -> dict[str, Any]:
        """The body as an object. Raises RequestValidationError."""
        if not hasattr(self, "_object"):
            try:
                self._object = parse_object(await self.body())
            except Unacceptable as error:
                problem = {"type": "json_invalid", "loc": ("body",), "msg": str(error)}
                raise RequestValidationError([problem]) from error
        return self._object


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object with numbers read exactly, integers as int and others as Decimal. Raises Unacceptable."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_int=_integer,
            parse_float=number_from_text,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise Unacceptable("the body is not UTF-8") from error
    except RecursionError as error:
        raise Unacceptable("the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise Unacceptable(f"the body is not JSON: {error.msg} at character {error.pos}") from error
    except Unacceptable:
        raise
    except ValueError as error:
        raise Unacceptable(f"a number {error}") from error
    if not isinstance(value, dict):
        raise Unacceptable("the body is not a JSON object")
    _check(value, 1)
    return value


def _integer(text: str) -> int:
    return int(number_from_text(text))


def _refuse_constant(_: str) -> None:
    raise Unacceptable("NaN and infinities are not numbers")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise Unacceptable("a key stands twice in one object")
    return unique


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise Unacceptable(f"the body is nested deeper than {DEEPEST}")
        for item in _items(value):
            _check(item, depth + 1)


def _items(value: dict[str, Any] | list[Any]) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    else:
        yield from value


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise Unacceptable("a text holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Unacceptable("a text holds half a character (a lone surrogate)")
