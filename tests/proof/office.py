"""Sends clerks with facts, kills them with -9, and sends the next one with what was not done."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import psycopg

from tests.proof.cases import Case
from tests.proof.clerk import DONE, Errand

_UNSETTLED = """
    select count(*) from ledger.inbox i
     where not exists (select from ledger.inbox_result r where r.inbox_id = i.inbox_id)
"""


@dataclass(slots=True)
class Office:
    database: str
    file: Path
    cases: Sequence[Case]
    done: dict[str, int] = field(default_factory=dict)
    found_in_the_inbox: int = 0
    """Messages that a kill left kept but unrecorded."""

    def run(self, chance: Random, *, kills: int) -> int:
        """Until everything is delivered; gives how many clerks were killed on the way."""
        total, killed = sum(len(case.told) for case in self.cases), 0
        while sum(self.done.values()) < total:
            share = total // (kills + 2)
            killed += self._send(chance.randint(share // 2, share) if killed < kills else total)
        return killed

    def _send(self, most: int) -> bool:
        """One clerk, killed once it has done so much; whether it was."""
        errands = [Errand(case=case, done=self.done.get(case.name, 0)) for case in self.cases]
        self.file.write_bytes(msgspec.json.encode(errands))
        command = [sys.executable, "-m", "tests.proof.clerk", self.database, str(self.file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clerk:
            assert clerk.stdout is not None
            told = (line.split() for line in clerk.stdout if line.startswith(DONE))
            for number, (_, name, done) in enumerate(told, start=1):
                self.done[name] = int(done)
                if number == most:
                    clerk.send_signal(signal.SIGKILL)
                    break
        with psycopg.connect(self.database) as connection:
            row = connection.execute(_UNSETTLED).fetchone()
        self.found_in_the_inbox += row[0] if row else 0
        assert clerk.returncode in (0, -signal.SIGKILL)
        return clerk.returncode != 0
