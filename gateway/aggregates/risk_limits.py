"""Fat-finger thresholds: defaults, overrides per symbol, and what breaches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal

from gateway.aggregates.vocabulary import Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """None switches a check off. Notional in the account's currency, quantity in shares, ADV a fraction."""

    max_notional: Decimal | None = None
    max_qty: Decimal | None = None
    max_adv_pct: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A symbol's own thresholds; `fields_set` names those that are set, the others follow the default."""

    thresholds: Thresholds
    fields_set: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimitsChanged:
    """The thresholds as they stand after the change."""

    default: Thresholds
    overrides: dict[Symbol, Override]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    default: Thresholds
    overrides: Mapping[Symbol, Override] = field(default_factory=dict)
    updated_at: datetime | None = None
    updated_by: str | None = None

    def for_symbol(self, symbol: Symbol) -> Thresholds:
        """Per field: the override where it is set, else the default."""
        override = self.overrides.get(symbol)
        if override is None:
            return self.default
        return replace(
            self.default, **{name: getattr(override.thresholds, name) for name in override.fields_set}
        )


Patch = Mapping[str, Decimal | None]
"""Fields of one symbol: present sets, an explicit None un-sets, absent leaves alone."""


def change(
    limits: RiskLimits,
    *,
    default: Thresholds | None,
    overrides: Mapping[Symbol, Patch | None],
    by: str,
    at: datetime,
) -> tuple[RiskLimitsChanged, ...]:
    """Replace the defaults as a whole, patch or remove overrides; () when that changes nothing."""
    patched = dict(limits.overrides)
    for symbol, patch in overrides.items():
        if patch is None:
            patched.pop(symbol, None)
            continue
        override = _patched(patched.get(symbol), patch)
        if override.fields_set:
            patched[symbol] = override
        else:
            patched.pop(symbol, None)
    after = default if default is not None else limits.default
    if after == limits.default and patched == dict(limits.overrides):
        return ()
    return (RiskLimitsChanged(default=after, overrides=patched, by=by, at=at),)


def _patched(override: Override | None, patch: Patch) -> Override:
    before = override or Override(thresholds=Thresholds(), fields_set=())
    names = [f.name for f in fields(Thresholds)]
    values = {name: patch.get(name, getattr(before.thresholds, name)) for name in names}
    kept = {name for name in before.fields_set if name not in patch}
    fields_set = kept | {name for name, value in patch.items() if value is not None}
    return Override(
        thresholds=Thresholds(**values), fields_set=tuple(name for name in names if name in fields_set)
    )


def evolve(limits: RiskLimits | None, event: RiskLimitsChanged) -> RiskLimits:
    """Apply one recorded fact."""
    return RiskLimits(
        default=event.default, overrides=event.overrides, updated_at=event.at, updated_by=event.by
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """`kind` is notional, qty, adv_pct or data_unavailable."""

    kind: str
    words: str


def breaches(
    thresholds: Thresholds, *, qty: Decimal, px: Decimal | None, adv: Decimal | None
) -> tuple[Breach, ...]:
    """All breaches, in a fixed order. Equality is none; a missing value that an active check needs is one."""
    found: list[Breach] = []
    missing: list[str] = []
    if thresholds.max_notional is not None:
        if px is None:
            missing.append("a fresh price")
        elif px * qty > thresholds.max_notional:
            found.append(
                Breach(kind="notional", words=f"notional {px * qty:f} exceeds {thresholds.max_notional:f}")
            )
    if thresholds.max_qty is not None and qty > thresholds.max_qty:
        found.append(Breach(kind="qty", words=f"quantity {qty:f} exceeds {thresholds.max_qty:f}"))
    if thresholds.max_adv_pct is not None:
        if not adv:
            missing.append("the average daily volume")
        elif qty > thresholds.max_adv_pct * adv:
            share = f"{thresholds.max_adv_pct:f} of the average daily volume {adv:f}"
            found.append(Breach(kind="adv_pct", words=f"quantity {qty:f} exceeds {share}"))
    if missing:
        found.append(Breach(kind="data_unavailable", words=f"{' and '.join(missing)} cannot be had"))
    return tuple(found)
