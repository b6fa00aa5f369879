"""The processes a demo or a desk starts, and what is said when one of them does not come up."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from gateway.cli.stage import Program, Stage, StageFailed, temporary_home


def test_a_program_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = Program(name="the gateway", log=tmp_path / "gateway.log")
    program.start(["no-such-command"], dict(os.environ))
    with pytest.raises(StageFailed, match="the gateway did not start") as failed:
        program.wait_until(lambda: False)
    assert "no-such-command" in str(failed.value)
    assert program.end(signal.SIGTERM) != 0


def test_what_was_never_started_is_neither_killed_nor_put_to_sleep(tmp_path: Path) -> None:
    assert Program(name="the gateway", log=tmp_path / "gateway.log").end(signal.SIGTERM) == 0
    stage = Stage(home=tmp_path)
    stage.kill_gateway()
    stage.kill_exchange()
    with stage.gateway_asleep():
        assert not stage.gateway_runs
    stage.close()


@pytest.mark.parametrize("keep", [False, True])
def test_a_temporary_home_stays_only_when_it_is_asked_to(keep: bool) -> None:
    with temporary_home("test", keep=keep) as home:
        (home / "log").touch()
    assert home.exists() is keep
    shutil.rmtree(home, ignore_errors=True)
