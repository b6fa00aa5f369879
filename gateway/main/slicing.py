"""Slicing hung together: who plans, who cancels, who releases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.commands.audit import Audit
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.cancel_slices import CancelSlices
from gateway.commands.gates.slicing import SlicingRules
from gateway.commands.gates.walk import Surroundings
from gateway.commands.release_slices import ReleaseRules, ReleaseSlices
from gateway.commands.slice_order import SliceOrder
from gateway.commands.submit_order import SubmitOrder
from gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicing:
    slice_order: SliceOrder
    cancel_slices: CancelSlices
    releaser: ReleaseSlices


def slicing(
    settings: Settings,
    around: Surroundings,
    submit_order: SubmitOrder,
    cancel_order: CancelOrder,
    audit: Audit,
    releaser_runs: Callable[[], bool],
) -> Slicing:
    expiry = settings.stale_slice_expiry_seconds
    return Slicing(
        slice_order=SliceOrder(
            around=around,
            audit=audit,
            rules=SlicingRules(
                liquidity_check_enabled=settings.liquidity_check_enabled,
                max_pct_of_adv=settings.max_slice_pct_of_adv,
            ),
            releaser_runs=releaser_runs,
        ),
        cancel_slices=CancelSlices(
            ledger=around.ledger, clock=around.clock, metrics=around.metrics, cancel_order=cancel_order
        ),
        releaser=ReleaseSlices(
            around=around,
            submit_order=submit_order,
            rules=ReleaseRules(
                grace=timedelta(seconds=settings.misfire_grace_seconds),
                expiry=timedelta(seconds=expiry) if expiry else None,
            ),
            holder=settings.pod_name,
        ),
    )
