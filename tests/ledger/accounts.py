"""A small domain for the ledger's own tests: accounts with a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never
from uuid import uuid4

from gateway.aggregates.vocabulary import Actor, ActorKind
from gateway.ledger.catalog_types import Catalog, StreamKind
from gateway.ledger.decision import Decision, States
from gateway.ledger.envelope import Cause, Uncommitted
from gateway.ledger.leases import LEASES

ALICE = Actor(sub="alice", kind=ActorKind.USER, auth_method="jwt", address="127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    limit: int
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    amount: Decimal
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    limit: int = 1_000_000
    deposits: int = 0
    balance: Decimal = Decimal(0)
    is_open: bool = True


AccountEvent = Opened | Deposited | Closed


def evolve(account: Account | None, event: AccountEvent) -> Account:
    account = account or Account()
    match event:
        case Opened():
            return Account(limit=event.limit)
        case Deposited():
            return Account(
                limit=account.limit,
                deposits=account.deposits + 1,
                balance=account.balance + event.amount,
                is_open=account.is_open,
            )
        case Closed():
            return Account(
                limit=account.limit, deposits=account.deposits, balance=account.balance, is_open=False
            )
        case _:
            assert_never(event)


ACCOUNTS = StreamKind(
    prefix="account-",
    state=Account,
    state_version=1,
    events=(
        (Opened, "account.opened", 1),
        (Deposited, "account.deposited", 2),
        (Closed, "account.closed", 1),
    ),
    evolve=evolve,
    live=lambda account: account.is_open,
    refs=lambda event: getattr(event, "reference", None),
    upcasts={"account.deposited.v1": lambda body: {"amount": body["cents"], "reference": None}},
    snapshot_every=50,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    on: bool


SWITCH = StreamKind(
    prefix="switch-",
    state=Switch,
    state_version=1,
    events=((Switched, "switch.switched", 1),),
    evolve=lambda _, event: Switch(on=event.on),
    live=lambda switch: switch.on,
    safety=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    count: int


NOTES = StreamKind(
    prefix="notes",
    state=Notes,
    state_version=1,
    events=((Noted, "note.noted", 1),),
    evolve=lambda notes, _: Notes(count=1 + (notes.count if notes else 0)),
)

KINDS = (ACCOUNTS, SWITCH, NOTES, LEASES)
CATALOG = Catalog(KINDS)


class LimitReached(Exception):
    """The account takes no more deposits."""


def cause(command_id: str | None = None, **changes: object) -> Cause:
    fields: dict[str, object] = {
        "command_id": command_id or uuid4().hex,
        "actor": ALICE,
        "correlation_id": "test",
        "source": "api",
        "occurred_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    }
    return Cause(**{**fields, **changes})  # type: ignore[arg-type]


def open_account(stream: str, limit: int = 1_000_000) -> Callable[[States], Decision]:
    def decide(states: States) -> Decision:
        if states[stream] is not None:
            return Decision()
        opened = Opened(limit=limit, opened_at=datetime(2026, 1, 1, tzinfo=UTC))
        return Decision(events=(Uncommitted(stream=stream, event=opened),))

    return decide


def deposit(
    stream: str, amount: int = 1, times: int = 1, reference: str | None = None
) -> Callable[[States], Decision]:
    def decide(states: States) -> Decision:
        account: Account | None = states[stream]
        if account is not None and account.deposits + times > account.limit:
            raise LimitReached(stream)
        event = Deposited(amount=Decimal(amount), reference=reference)
        return Decision(events=(Uncommitted(stream=stream, event=event),) * times)

    return decide


def close(stream: str) -> Callable[[States], Decision]:
    def decide(states: States) -> Decision:
        return Decision(events=(Uncommitted(stream=stream, event=Closed(reason="test")),))

    return decide


def note(text: str) -> Callable[[States], Decision]:
    return lambda states: Decision(events=(Uncommitted(stream="notes", event=Noted(text=text)),))


def switch(stream: str, on: bool) -> Callable[[States], Decision]:
    return lambda states: Decision(events=(Uncommitted(stream=stream, event=Switched(on=on)),))
