"""Names, shapes and upcasts of what is stored."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.ledger.catalog_types import Catalog, UnknownStream
from gateway.ledger.envelope import Undecodable
from tests.ledger.accounts import ACCOUNTS, CATALOG, KINDS, NOTES, Closed, Deposited, Noted, Opened


def test_stored_names_are_ours_and_bodies_are_json() -> None:
    event = Deposited(amount=Decimal("0.10"))
    assert CATALOG.encode(event) == ("account.deposited.v2", b'{"amount":"0.10","reference":null}')


@pytest.mark.parametrize(
    "event",
    [
        Deposited(amount=Decimal("1E-9"), reference="naïve ✓ \u0000"),
        Opened(limit=1, opened_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
        Closed(reason='quotes " and \\ back'),
    ],
)
def test_what_is_encoded_decodes_to_the_same(event: object) -> None:
    assert CATALOG.decode(*CATALOG.encode(event)) == event


def test_a_stream_belongs_to_the_kind_of_its_prefix_or_exact_name() -> None:
    assert CATALOG.kind_of("account-x") is ACCOUNTS
    assert CATALOG.kind_of("notes") is NOTES


@pytest.mark.parametrize("stream", ["", "account-", "account", "notes-1", "other-1"])
def test_any_other_name_is_no_stream(stream: str) -> None:
    with pytest.raises(UnknownStream):
        CATALOG.kind_of(stream)


def test_the_longest_prefix_wins() -> None:
    special = dataclasses.replace(ACCOUNTS, prefix="account-special-", events=())
    assert Catalog((*KINDS, special)).kind_of("account-special-1") is special


def test_two_events_may_not_share_a_name_nor_one_event_have_two() -> None:
    twice = dataclasses.replace(NOTES, prefix="more", events=((Closed, "note.noted", 1),))
    with pytest.raises(ValueError, match=r"note\.noted\.v1"):
        Catalog((NOTES, twice))
    renamed = dataclasses.replace(NOTES, prefix="more", events=((Noted, "note.again", 1),))
    with pytest.raises(ValueError, match="Noted"):
        Catalog((NOTES, renamed))


def test_upcasts_run_step_by_step_to_the_newest_shape() -> None:
    kind = dataclasses.replace(
        NOTES,
        events=((Noted, "note.noted", 3),),
        upcasts={
            "note.noted.v1": lambda body: {"words": body["text"]},
            "note.noted.v2": lambda body: {"text": body["words"].upper()},
        },
    )
    assert Catalog((kind,)).decode("note.noted.v1", b'{"text": "x"}') == Noted(text="X")


def test_what_cannot_be_decoded_says_why() -> None:
    assert CATALOG.decode("account.deposited.v2", b"{}") == Undecodable(
        topic="account.deposited.v2", reason="Object missing required field `amount`"
    )
