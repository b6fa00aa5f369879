"""The exchange's memory: one append-only file, one line for each turn, written before the answer leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gateway.paper.facts import AnyFact

_decode = msgspec.json.Decoder(list[AnyFact]).decode
_encode = msgspec.json.Encoder().encode


class Journal:
    """A line reaches the kernel before `append` returns, so it survives kill -9, but not a power cut."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "journal.jsonl"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._drop_torn_line()

    def append(self, turn: Sequence[AnyFact]) -> None:
        line = _encode(turn) + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError(f"short write to {self.path}")

    def read(self) -> Iterator[AnyFact]:
        with self.path.open("rb") as lines:
            for line in lines:
                yield from _decode(line)

    def text(self) -> bytes:
        return self.path.read_bytes()

    def erase(self) -> None:
        os.ftruncate(self._file, 0)

    def close(self) -> None:
        os.close(self._file)

    def _drop_torn_line(self) -> None:
        written = self.path.read_bytes()
        whole = written.rfind(b"\n") + 1
        if whole < len(written):
            os.ftruncate(self._file, whole)
