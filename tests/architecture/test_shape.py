"""The shape of the code: small files, small functions, honest imports, names that say something."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "gateway"
ROOMS_OF_MONEY = ("aggregates", "commands", "ledger", "projections", "reconcile")
NOT_MONEY = frozenset(
    {
        "gateway/commands/keep_mirror.py",  # a metric
        "gateway/projections/standing.py",  # seconds
    }
)
EMPTY_WORDS = frozenset({"manager", "helper", "util", "utils", "service", "processor", "data", "info"})
TERMS_OF_THE_FIELD = frozenset({"market_data", "service_info"})  # the second is the contract's own name

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def trees(folder: Path) -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}


@cache
def nodes(folder: Path) -> list[tuple[str, ast.AST]]:
    return [
        (f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", node)
        for path, tree in trees(folder).items()
        for node in ast.walk(tree)
    ]


def functions(folder: Path) -> list[tuple[str, Function]]:
    return [(place, node) for place, node in nodes(folder) if isinstance(node, FUNCTIONS)]


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> list[ast.arg]:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [*named, *(rest for rest in (given.vararg, given.kwarg) if rest is not None)]


def words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def says_nothing(name: str) -> bool:
    return words(name)[-1] in EMPTY_WORDS and "_".join(words(name)[-2:]) not in TERMS_OF_THE_FIELD


def test_no_file_has_400_lines() -> None:
    files = [path for room in ("gateway", "tests", "alembic", "bench") for path in trees(ROOT / room)]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {path: lines for path, lines in lengths.items() if lines >= 400} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    assert [
        (place, length(function)) for place, function in functions(GATEWAY) if length(function) > 50
    ] == []


def test_most_functions_fit_in_a_few_lines() -> None:
    assert median(length(function) for _, function in functions(GATEWAY)) <= 8


def test_nothing_but_the_command_line_imports_inside_a_function() -> None:
    late = [
        place
        for place, function in functions(GATEWAY)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) and not place.startswith("gateway/__main__.py")
    ]
    assert late == []


def test_every_parameter_says_its_type() -> None:
    untyped = [
        f"{place} {function.name}({parameter.arg})"
        for place, function in functions(GATEWAY)
        for parameter in parameters(function)
        if parameter.annotation is None and parameter.arg not in {"self", "cls"}
    ]
    assert untyped == []


def test_no_float_enters_the_rooms_of_money() -> None:
    found = [
        place
        for room in ROOMS_OF_MONEY
        for place, node in nodes(GATEWAY / room)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if place.partition(":")[0] not in NOT_MONEY
    ]
    assert found == []


def test_the_rules_of_the_desk_do_not_know_floats_at_all() -> None:
    found = [
        place
        for place, node in nodes(GATEWAY / "aggregates")
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert found == []


def test_the_rules_of_the_desk_import_nothing_but_python() -> None:
    imported = {
        (place, name)
        for place, node in nodes(GATEWAY / "aggregates")
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    foreign = {
        (place, name)
        for place, name in imported
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("gateway.aggregates")
    }
    assert foreign == set()


def test_names_say_something() -> None:
    definitions = [
        (place, node.name) for place, node in nodes(GATEWAY) if isinstance(node, (*FUNCTIONS, ast.ClassDef))
    ]
    modules = [(str(path.relative_to(ROOT)), path.stem) for path in trees(GATEWAY)]
    assert [(place, name) for place, name in [*definitions, *modules] if says_nothing(name)] == []


def test_nothing_is_left_for_later() -> None:
    later = [
        place
        for place, node in nodes(GATEWAY)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert later == []
