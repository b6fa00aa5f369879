"""A demo that does not hold says what did not hold, and never ticks it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from gateway.demo.callers import DemoFailed, until
from gateway.demo.show import Show


def test_what_does_not_hold_is_named_and_neither_ticked_nor_counted() -> None:
    printed = StringIO()
    show = Show(Console(file=printed))
    show.prove(True, "one is one")
    with pytest.raises(DemoFailed, match="one is two"):
        show.prove(False, "one is two")
    assert show.checks == 1
    assert printed.getvalue().count("✓") == 1


def test_what_never_happens_is_waited_for_only_so_long() -> None:
    with pytest.raises(DemoFailed, match=r"waited 0\.05 s in vain for a miracle"):
        until(lambda: None, within=0.05, what="a miracle")
