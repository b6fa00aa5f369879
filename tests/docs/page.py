"""A page of documentation as a script: its requests in order, and what it says the answers look like."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_BLOCKS: Final = re.compile(r"^```(sh|http)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$([A-Z_]+)")
_SHELLS_OWN: Final = re.compile(r"^([A-Z_]+)=\"?\$\(", re.MULTILINE)
_SET: Final = re.compile(r"^([A-Z_]+)='([^']*)'$", re.MULTILINE)
_MORE_FIELDS: Final = re.compile(r"…(?=\s*\})")
_MORE_ENTRIES: Final = re.compile(r"…(?=\s*[,\]])")
ANYTHING: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One use of curl. Variables stand in it as they were written."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None

    @property
    def path(self) -> str:
        """As the gateway sees it, with variables for ids; empty when it is somebody else who is asked."""
        return self.url.removeprefix("$GATEWAY").partition("?")[0] if "$GATEWAY" in self.url else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The answer as the page shows it. `body` is parsed when it is JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    line: int
    sets: Mapping[str, str]
    """Variables the page gives a value."""
    asks_shell: frozenset[str]
    """Variables that get what a program of the shell says."""
    request: Request
    shown: Shown


def steps(page: Path) -> Iterator[Step]:
    """Every block of shell with the answer below it."""
    text = page.read_text()
    blocks = list(_BLOCKS.finditer(text))
    assert [block[1] for block in blocks] == ["sh", "http"] * (len(blocks) // 2), "each request has an answer"
    for asked, answered in zip(blocks[::2], blocks[1::2], strict=True):
        yield Step(
            line=text.count("\n", 0, asked.start()) + 1,
            sets=dict(_SET.findall(asked[2])),
            asks_shell=frozenset(_SHELLS_OWN.findall(asked[2])),
            request=_request(asked[2][asked[2].index("curl ") :]),
            shown=_shown(answered[2]),
        )


def _request(command: str) -> Request:
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, url, headers, body = "", "", dict[str, str](), None
    for word in words:
        match word:
            case "-i" | "-N" | "-iN":
                pass
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--oauth2-bearer":
                headers["Authorization"] = f"Bearer {next(words)}"
            case "--json":
                body = next(words)
                headers["Content-Type"] = "application/json"
            case _:
                assert word.startswith("$"), f"what is {word}?"
                url = word
    return Request(method=method or ("GET" if body is None else "POST"), url=url, headers=headers, body=body)


def _shown(text: str) -> Shown:
    head, _, body = text.partition("\n\n")
    status, *headers = head.splitlines()
    pairs = dict(line.split(": ", 1) for line in headers)
    return Shown(status=int(status.split()[1]), headers=pairs, text=body, body=parsed(body))


def parsed(text: str) -> Any:
    whole = _MORE_ENTRIES.sub(f'"{ANYTHING}"', _MORE_FIELDS.sub(f'"{ANYTHING}": 0', text))
    return json.loads(whole) if whole.startswith(("{", "[")) else None


def filled_in(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values[found[1]], text)
