"""A request as a value: what is asked, and what the answer will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """`answer` is `str` for plain text, `tuple` of something for a list."""

    method: str
    path: str
    answer: type[T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    """Asking twice is the same as asking once, so a lost answer may simply be asked for again."""
    look_up: Call[T] | None = None
    """How to learn what became of it when its answer is lost. Before it is repeated, this is asked."""


def get(path: str, answer: type[T], **query: object) -> Call[T]:
    return Call(method="GET", path=path, answer=answer, query=given(query), repeatable=True)


def post(path: str, answer: type[T], body: object = None, *, repeatable: bool = False) -> Call[T]:
    return Call(method="POST", path=path, answer=answer, body=body, repeatable=repeatable)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value, as they travel: an absent one is left to the gateway's default."""
    return {name: _worded(value) for name, value in fields.items() if value is not None}


def _worded(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def part(text: str) -> str:
    """Text as one segment of a path, whatever it holds."""
    return quote(text, safe="")
