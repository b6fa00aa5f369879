"""The table of settings in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.settings import load_settings
from gateway.settings.table import table

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_documented_settings_are_the_real_ones() -> None:
    assert DOCUMENT.read_text() == table(), "run: python -m gateway.settings > docs/settings.md"


def test_every_documented_default_is_a_value_the_variable_may_hold() -> None:
    defaults = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| `([^`]+)` \|", table(), re.MULTILINE))
    assert len(defaults) > 60
    assert load_settings(defaults) == load_settings({})
