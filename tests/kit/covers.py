"""Which test shows what of the list of all that must hold, read from the text of the tests.

A test names the rows it shows with `@covers("FC:B-04")`. Where the entries of a table are the tests, the name
of an entry begins with the row it shows. The rows stand in `tests/acceptance/ids.toml`; those that nothing
shows yet stand in `pending.toml` beside it, with the reason.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

covers: Final = pytest.mark.covers

TESTS: Final = Path(__file__).parents[1]
NAMED: Final = re.compile(r"(?:INV-|FC:|FM:|GT:|BI:|SEC:)\S+")


def sections() -> dict[str, dict[str, str]]:
    """The rows of each list in a few words, by their ids."""
    found: dict[str, dict[str, str]] = _toml("ids.toml")
    return found


def pending() -> dict[str, str]:
    """Why nothing shows these yet; an id that stands there twice is an error."""
    reasons: dict[str, str] = {}
    for group in _toml("pending.toml")["because"]:
        for row in group["rows"]:
            if row in reasons:
                raise ValueError(f"{row} is pending twice")
            reasons[row] = group["reason"]
    return reasons


def _toml(name: str) -> Any:
    return tomllib.loads((TESTS / "acceptance" / name).read_text())


def claims() -> Mapping[str, Sequence[str]]:
    """The tests that name each id."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(TESTS.rglob("*.py")):
        where = file.relative_to(TESTS).with_suffix("").as_posix().replace("test_", "")
        for row, test in named_in(ast.parse(file.read_text())):
            found[row].add(f"{where}.{test}")
    for story in TESTS.glob("golden/*.yaml"):
        found[f"GT:{story.stem}"].add(f"golden/rows.{story.stem}")
    return {row: sorted(tests) for row, tests in found.items()}


def named_in(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Each id with the test or the table that names it."""
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                for decorator in node.decorator_list:
                    yield from ((row, name.removeprefix("test_")) for row in _rows(decorator))
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield from ((row, name) for row in _rows(node))


def _rows(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="covers"), args=args):
                yield from (ast.literal_eval(row) for row in args)
            case ast.Constant(value=str(text)) if named := NAMED.match(text):
                yield named.group()


def page() -> str:
    """Every row with the tests that show it, or with the reason why none does yet."""
    shown, waiting, lists = claims(), pending(), sections()
    rows = [row for rows in lists.values() for row in rows]
    lines = [f"{len(shown.keys() & rows)} of {len(rows)} rows are shown; {len(waiting)} are pending."]
    for title, words in lists.items():
        lines += ["", f"## {title}", "", "| Id | What | Tests |", "|---|---|---|"]
        lines += [f"| {row} | {words[row]} | {_cell(shown.get(row), waiting.get(row))} |" for row in words]
    return "\n".join(lines)


def _cell(tests: Sequence[str] | None, reason: str | None) -> str:
    return "<br>".join(f"`{test}`" for test in tests) if tests else f"*pending: {reason}*"
