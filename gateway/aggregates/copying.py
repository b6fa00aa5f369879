"""Copies of frozen records with something changed: most of what folding an event costs."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    changed = replace
else:

    def changed(record: Any, /, **changes: Any) -> Any:
        """`dataclasses.replace` for records with slots, at half its price: it does not run `__init__` again.

        Only for records without a `__post_init__`. Raises AttributeError for a field the record has not.
        """
        copy = object.__new__(type(record))
        for name in _names(type(record)):
            object.__setattr__(copy, name, getattr(record, name))
        for name, value in changes.items():
            object.__setattr__(copy, name, value)
        return copy


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
