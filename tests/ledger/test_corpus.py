"""Whatever was ever stored stays readable: one body of every version of every event, as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.ledger.catalog import CATALOG
from gateway.ledger.envelope import Undecodable
from tests.kit.covers import covers

STORED = [json.loads(line) for line in (Path(__file__).parent / "corpus.jsonl").read_text().splitlines()]


@covers("FC:G-04", "FM:F-124")
@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["topic"])
def test_a_stored_body_is_read_and_written_back_the_same(stored: dict[str, str]) -> None:
    """Fields may be added with a default; whoever changes or drops one gives the event a new version."""
    event = CATALOG.decode(stored["topic"], stored["body"].encode())
    assert not isinstance(event, Undecodable), event
    topic, body = CATALOG.encode(event)
    assert topic.rpartition(".v")[0] == stored["topic"].rpartition(".v")[0]
    if topic == stored["topic"]:  # an older one is brought to today's shape
        assert json.loads(stored["body"]).items() <= json.loads(body).items()


@covers("FC:G-04")
def test_the_corpus_knows_every_event_that_is_written_today() -> None:
    written = {f"{name}.v{version}" for kind in CATALOG.kinds for _, name, version in kind.events}
    assert written - {stored["topic"] for stored in STORED} == set()
