"""A short chaos run as it is typed: every process real, everything broken, nothing lost."""

from __future__ import annotations

import pytest

from gateway.chaos.invariants.catalogue import INVARIANTS
from tests.kit.covers import covers
from tests.kit.terminal import terminal


@covers(
    "INV-01",
    "INV-02",
    "INV-03",
    "INV-04",
    "INV-05",
    "INV-06",
    "INV-07",
    "INV-09",
    "INV-11",
    "INV-12",
    "INV-13",
    "INV-18",
    "INV-20",
    "INV-29",
    "INV-30",
)
@pytest.mark.timeout(300)
def test_a_short_run_ends_with_the_books_of_the_exchange() -> None:
    with terminal("chaos", "--seed", "7", "--minutes", "0.15", DRY_RUN="true", HTTP_PORT="1") as chaos:
        assert chaos.process.wait(300) == 0, chaos.shown
        told = chaos.shown
        assert [name for name, _, _ in INVARIANTS if f"✓ {name} " not in told] == []
        assert "REPLAY" not in told
        assert chaos.processes_left == []
        assert chaos.files_left == []


@pytest.mark.timeout(120)
def test_a_run_that_is_interrupted_stops_whatever_it_started() -> None:
    with terminal("chaos", "--seed", "7", "--minutes", "2") as chaos:
        chaos.read_until("Seed 7")
        assert chaos.interrupt() == 130
        assert chaos.processes_left == []
        assert chaos.files_left == []
