"""A command as somebody at a terminal runs it: a process of its own, its output, Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.environment import bare

PATIENCE_SECONDS = 120


class Terminal:
    """`gateway …` with temporary files in a folder of its own, and no configuration but what is given."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self._output = folder / "output"
        self.start(*arguments, **variables)

    def start(self, *arguments: str, **variables: str) -> None:
        """Also anew, once what ran before has ended."""
        own = bare(TMPDIR=str(self.folder), PYTHONUNBUFFERED="1")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *arguments],
                env={**own, **variables},
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def shown(self) -> str:
        return self._output.read_text()

    def read_until(self, words: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self.shown:
            assert self.process.poll() is None, self.shown
            assert time.monotonic() < deadline, self.shown
            time.sleep(0.05)
        return self.shown

    def interrupt(self, by: signal.Signals = signal.SIGINT) -> int:
        """The exit status after Ctrl-C, or after being told to end."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE_SECONDS)

    @property
    def processes_left(self) -> list[str]:
        """Whatever still has our folder on its command line or in its environment."""
        shown = subprocess.run(["ps", "-eww", "e", "-o", "args="], capture_output=True, text=True, check=True)
        return [line for line in shown.stdout.splitlines() if str(self.folder) in line]

    @property
    def files_left(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path != self._output]


@contextmanager
def terminal(*arguments: str, **variables: str) -> Iterator[Terminal]:
    """The folder is short, as paths of sockets have to be; nothing keeps running behind a failed test."""
    folder = Path(tempfile.mkdtemp(prefix="terminal-")).resolve()
    opened = Terminal(folder, *arguments, **variables)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.interrupt()
        shutil.rmtree(folder)
