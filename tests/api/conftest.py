from __future__ import annotations

import pytest

from tests.api.house import Straw, straw_house


@pytest.fixture
def straw() -> Straw:
    return straw_house()
