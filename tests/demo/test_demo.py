"""The demo as it is shown: a process of its own that ends with 0 only when every check held."""

from __future__ import annotations

import pytest

from tests.kit.terminal import terminal

SHOWN = (
    "executions: some in parts",
    "the exchange has seen it once",
    "fat_finger_rejected",
    "Position limit exceeded: 1100 > 1000",
    "canceled, with 40 filled",
    "a cancel still passes",
    "was stopped by the kill switch, and that is on record",
    "the outcome stays unknown",
    "one POST in all; nothing lost, nothing doubled",
    "each of them once, kill -9 or not",
    "nothing is left",
    "the ledger still tells what was known then",
    "every rebuilt table equals a fresh fold of the ledger",
    "no breaks, no orphans",
    "all in order",
    "equal to the last digit",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("source", ["recorded", "synthetic"])
def test_every_scene_of_the_demo_holds(source: str) -> None:
    with terminal("demo", "--source", source, DRY_RUN="true", HTTP_PORT="1") as demo:
        assert demo.process.wait(300) == 0, demo.shown
        told = " ".join(demo.shown.split())
        assert [words for words in SHOWN if words not in told] == []
        assert demo.processes_left == []
        assert demo.files_left == []


def test_a_demo_that_is_interrupted_stops_whatever_it_started() -> None:
    with terminal("demo") as demo:
        demo.read_until("A retry is recognised")
        assert demo.interrupt() == 130
        assert demo.processes_left == []
        assert demo.files_left == []
