"""A process that ends with the one that started it, however that one ends."""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

STANDARD_INPUT: Final = 0


def end_with_parent() -> None:
    """End in order as soon as standard input does, which the parent holds open as long as it lives."""
    threading.Thread(target=_wait_for_the_end, name="parent", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
