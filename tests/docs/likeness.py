"""Whether an answer looks like one that is shown: the same shape, and the same values where they can be."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from tests.docs.page import ANYTHING

_LOOKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
        r"\d{4}-\d\d-\d\d",
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        r"[0-9a-f]{24}",
        r"recon-[0-9a-f-]+",
    )
)
"""Instants, days and ids: another one is as good."""
_COUNTED: Final = re.compile(r"position|head|next_after|checked|.*_(position|ms|events|checked|today)")
"""Numbers that depend on what else went on."""
_VARIABLE: Final = re.compile(r"\$([A-Z_]+)")


def differences(shown: Any, answered: Any, keep: MutableMapping[str, str], at: str = "") -> Iterator[str]:
    """What is not as shown, by its place. `keep` gets the values that are shown as variables."""
    match shown:
        case dict() if isinstance(answered, dict):
            yield from _of_objects(shown, answered, keep, at)
        case list() if isinstance(answered, list):
            yield from _of_lists(shown, answered, keep, at)
        case str() if not _is_like(shown, answered, keep):
            yield f"{at}: {shown!r} is shown, {answered!r} came"
        case bool() | None | float() if shown != answered:
            yield f"{at}: {shown!r} is shown, {answered!r} came"
        case int() if not _counts_like(at.rpartition(".")[2], shown, answered):
            yield f"{at}: {shown!r} is shown, {answered!r} came"
        case dict() | list():
            yield f"{at}: another kind of thing came: {answered!r}"


def _of_objects(shown: Any, answered: Any, keep: MutableMapping[str, str], at: str) -> Iterator[str]:
    wanted = shown.keys() - {ANYTHING}
    if missing := wanted - answered.keys():
        yield f"{at}: {sorted(missing)} did not come"
    if ANYTHING not in shown and (more := answered.keys() - wanted):
        yield f"{at}: {sorted(more)} is not shown"
    for name in shown:
        if name in answered:
            yield from differences(shown[name], answered[name], keep, f"{at}.{name}")


def _of_lists(shown: Any, answered: Any, keep: MutableMapping[str, str], at: str) -> Iterator[str]:
    """An ellipsis among the entries stands for any number of them."""
    rest, gap = list(answered), False
    for number, wanted in enumerate(shown):
        if wanted == ANYTHING:
            gap = True
            continue
        found = _first_like(wanted, rest, keep) if gap else 0
        if found is None or found >= len(rest):
            yield f"{at}[{number}]: nothing like it came: {answered!r}"
            return
        yield from differences(wanted, rest[found], keep, f"{at}[{number}]")
        rest, gap = rest[found + 1 :], False
    if rest and not gap:
        yield f"{at}: {rest!r} is not shown"


def _first_like(wanted: Any, entries: list[Any], keep: MutableMapping[str, str]) -> int | None:
    alike = (place for place, entry in enumerate(entries) if not any(differences(wanted, entry, dict(keep))))
    return next(alike, None)


def _is_like(shown: str, answered: Any, keep: MutableMapping[str, str]) -> bool:
    if shown == ANYTHING:
        return True
    if variable := _VARIABLE.fullmatch(shown):
        return isinstance(answered, str) and keep.setdefault(variable[1], answered) == answered
    looks = [look for look in _LOOKS if look.fullmatch(shown)]
    return shown == answered or (
        isinstance(answered, str) and any(look.fullmatch(answered) for look in looks)
    )


def _counts_like(name: str, shown: int, answered: Any) -> bool:
    """Of numbers that depend on what else went on only the kind is compared."""
    if isinstance(shown, bool) or isinstance(answered, bool):
        return shown is answered
    return isinstance(answered, int) if _COUNTED.fullmatch(name) else shown == answered
