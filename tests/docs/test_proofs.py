"""docs/proofs.md names tests that exist, for every row, section and trap of the contract."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from fastapi.routing import APIRoute

from gateway.api.routes import ROUTERS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "proofs.md").read_text()
ENDPOINTS: Final = re.findall(r"^\| (\d+) \| ([A-Z]+) \| `(/\S*)` \| (.+) \|$", PAGE, re.MULTILINE)
SECTIONS: Final = re.findall(r"^\| (\d+(?:\.\d+)?) \| ([^|`]+) \| (`[^/].+) \|$", PAGE, re.MULTILINE)
TRAPS: Final = re.findall(r"^\| (\d+) \| (`[^/].+) \|$", PAGE, re.MULTILINE)
NAMED: Final = sorted(set(re.findall(r"`([a-z]+)/([a-z_]+)\.([A-Za-z0-9_*]+)`", PAGE)))
ROUTES: Final = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@cache
def named_in(file: Path) -> frozenset[str]:
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(
        node.name.removeprefix("test_")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, functions) and node.name.startswith("test_")
    )


@pytest.mark.parametrize(("room", "file", "name"), NAMED)
def test_a_test_that_is_named_exists(room: str, file: str, name: str) -> None:
    found = named_in(ROOT / "tests" / room / f"test_{file}.py")
    assert found if name == "*" else name in found


def test_every_row_of_the_contract_is_there_and_is_a_route() -> None:
    assert [int(number) for number, *_ in ENDPOINTS] == list(range(1, 53))
    assert all(re.search(r"`\w+/\w+\.[\w*]+`", proofs) for *_, proofs in ENDPOINTS)
    known = {(method, route.path) for route in ROUTES for method in route.methods}
    rows = {(method, path.replace("{order_id}", "{client_order_id}")) for _, method, path, _ in ENDPOINTS}
    assert rows == known


def test_every_section_of_the_contract_is_there() -> None:
    numbers = [number for number, *_ in SECTIONS]
    assert {number.partition(".")[0] for number in numbers} == {str(number) for number in range(11)}
    assert {f"4.{part}" for part in range(1, 25)} <= set(numbers)
    assert len(numbers) == len(set(numbers))


def test_every_trap_is_there() -> None:
    assert [int(number) for number, _ in TRAPS] == list(range(1, 36))
