"""The catalogue of bad input is covered: every id of it stands in a test."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
CATALOGUE = {f"BI:B-{number:02}" for number in range(1, 65)}
NAMED = re.compile(r"BI:B-[0-9]{2}")


def test_every_item_of_the_catalogue_is_named_by_a_test_and_no_other() -> None:
    texts = (path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    assert {name for text in texts for name in NAMED.findall(text)} == CATALOGUE
