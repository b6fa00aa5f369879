"""What a program started by a test gets of our own environment."""

from __future__ import annotations

import os


def bare(**variables: str) -> dict[str, str]:
    """Nothing that configures a gateway but `variables`; what measures the tests measures the child too."""
    measuring = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": os.environ["PATH"], **measuring, **variables}
