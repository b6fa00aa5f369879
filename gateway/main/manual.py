"""The manual controls hung together, and the second factor they ask for."""

from __future__ import annotations

from gateway.api.mfa import MfaRules, SecondFactor
from gateway.api.tokens import PublishedKeys
from gateway.commands.adjust_position import AdjustPosition
from gateway.commands.audit import Audit
from gateway.commands.cancel_all import CancelAll
from gateway.commands.cancel_order import CancelOrder
from gateway.commands.cancel_slices import CancelSlices
from gateway.commands.close_position import ClosePosition
from gateway.commands.flatten import Flatten
from gateway.commands.gates.walk import Surroundings
from gateway.commands.manual_desk import ManualDesk
from gateway.commands.submit_order import SubmitOrder
from gateway.commands.way_out import WayOut
from gateway.ports import Clock
from gateway.settings import Settings


def manual_desk(
    around: Surroundings,
    submit_order: SubmitOrder,
    cancel_order: CancelOrder,
    cancel_slices: CancelSlices,
    audit: Audit,
) -> ManualDesk:
    way_out = WayOut(around=around, submit_order=submit_order, audit=audit)
    close = ClosePosition(way_out=way_out)
    cancels = CancelAll(ledger=around.ledger, cancel_order=cancel_order, cancel_slices=cancel_slices)
    return ManualDesk(
        way_out=way_out,
        close=close,
        adjust=AdjustPosition(way_out=way_out),
        flatten=Flatten(close_position=close, cancel_all=cancels),
        cancels=cancels,
    )


def second_factor(settings: Settings, clock: Clock) -> SecondFactor:
    """Nobody passes unless keys, issuer and client id are all configured."""
    url, issuer, client_id = settings.mfa_jwks_url, settings.mfa_issuer, settings.mfa_client_id
    if url is None or issuer is None or client_id is None:
        return SecondFactor(rules=None, clock=clock)
    rules = MfaRules(
        keys=PublishedKeys(url, clock),
        issuer=issuer,
        client_id=client_id,
        max_age_seconds=int(settings.mfa_max_age_seconds),
    )
    return SecondFactor(rules=rules, clock=clock)
