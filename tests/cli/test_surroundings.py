"""How a command finds the gateway it is about."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.surroundings import announced, variables


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("HTTP_PORT", raising=False)
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path))
    return tmp_path


def test_a_gateway_that_runs_here_is_found_without_any_configuration(home: Path) -> None:
    with announced(home, {"DATABASE_URL": "postgresql://here/ledger", "HTTP_PORT": "8123"}):
        assert variables()["HTTP_PORT"] == "8123"
    assert "HTTP_PORT" not in variables()


def test_what_this_shell_says_goes_before_what_runs_here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "9999")
    with announced(home, {"DATABASE_URL": "postgresql://here/ledger", "HTTP_PORT": "8123"}):
        assert variables()["HTTP_PORT"] == "9999"


def test_a_database_named_by_this_shell_is_a_different_gateway(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/ledger")
    with announced(home, {"DATABASE_URL": "postgresql://here/ledger", "REDIS_URL": "redis://here"}):
        assert "REDIS_URL" not in variables()


def test_the_notice_is_readable_by_its_owner_only(home: Path) -> None:
    with announced(home, {"DATABASE_URL": "postgresql://here/ledger"}):
        (notice,) = home.iterdir()
        assert stat.S_IMODE(notice.stat().st_mode) == 0o600


def test_the_notice_of_a_process_that_was_killed_counts_for_nothing(home: Path) -> None:
    left_behind = (
        "import os, pathlib; from gateway.cli.surroundings import announced\n"
        f"with announced(pathlib.Path({str(home)!r}), {{'HTTP_PORT': '8123'}}): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", left_behind], check=False, cwd=Path.cwd(), env=dict(os.environ))
    assert any(home.iterdir())
    assert "HTTP_PORT" not in variables()
