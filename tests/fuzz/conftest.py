"""One served gateway for all that is thrown at it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gateway.adapters.embedded import EmbeddedPostgres, EmbeddedValkey
from tests.kit.serving import Served, serving


@pytest.fixture(scope="module")
def served(
    postgres: EmbeddedPostgres,
    migrated: str,
    valkey: EmbeddedValkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    home = tmp_path_factory.mktemp("served")
    with serving(postgres=postgres, migrated=migrated, valkey=valkey, worker=worker, home=home) as gateway:
        yield gateway
