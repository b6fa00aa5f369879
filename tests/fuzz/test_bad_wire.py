"""The catalogue's bytes against a served gateway: odd HTTP, endless HTTP, and HTTP that never comes."""

from __future__ import annotations

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest

from tests.corpus.bad.bodies import ORDER
from tests.fuzz.wire import Wire, connected, request
from tests.kit.covers import covers
from tests.kit.serving import Served

FILES = sorted((Path(__file__).parents[1] / "corpus" / "bad").glob("*.http"))
EXPECTED = {
    "B-33-odd-charset": {422},
    "B-34-chunk-of-no-size": {400},
    "B-34-chunked-twice": {400},
    "B-34-folded-header": {400, 422},
    "B-34-length-and-chunked": {400},
    "B-34-length-too-short": {422},
    "B-34-length-with-a-sign": {400},
    "B-34-space-before-the-colon": {400},
    "B-34-two-lengths": {400},
    "B-37-connect": {400, 404},
    "B-37-head": {405},
    "B-37-no-such-method": {400},
    "B-37-options-star": {400, 404},
    "B-37-override": {404},
    "B-37-trace": {405},
    "B-38-dot-segments": {404},
    "B-38-dots-without-a-token": {404},
    "B-38-double-slash": {404},
    "B-38-encoded-slash": {404},
    "B-38-nul": {404},
    "B-38-other-case": {404},
    "B-38-raw-bytes": {400, 404},
    "B-38-trailing-slash": {404},
    "B-39-no-such-version": {400},
    "B-39-version-0.9": {200, 400},
    "B-42-form": {422},
}
BODY = json.dumps(ORDER).encode()
LENGTH = f"Content-Length: {len(BODY)}"
JSON = "Content-Type: application/json"
CONFIG = "/api/v1/config"
ORDERS = "/api/v1/orders"


def bearer(served: Served) -> str:
    return f"Authorization: {served.bearer['Authorization']}"


def memory(served: Served) -> int:
    """Bytes the gateway's process holds."""
    status = Path(f"/proc/{served.gateway_process}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_every_file_of_the_corpus_has_an_expectation() -> None:
    assert {file.stem for file in FILES} == set(EXPECTED)


@covers("BI:B-33", "BI:B-34", "BI:B-37", "BI:B-38", "BI:B-39", "BI:B-42")
@pytest.mark.parametrize("file", FILES, ids=[f"BI:{file.stem}" for file in FILES])
def test_odd_http_is_refused_and_leaves_no_trace(served: Served, file: Path) -> None:
    head, sent = served.head(), served.orders_at_exchange()
    with connected(served) as wire:
        wire.send(file.read_bytes().replace(b"{bearer}", served.bearer["Authorization"].encode()))
        answer = wire.answer()
        assert answer is not None
        assert answer.status in EXPECTED[file.stem], answer
        if answer.body and answer.status != 200:
            assert answer.problem["instance"].isascii()
        assert wire.is_closed()
    assert (served.recorded_after(head), served.orders_at_exchange()) == ([], sent)
    assert served.ask("GET", CONFIG).status_code == 200


@covers("BI:B-34")
def test_what_follows_a_body_that_was_too_long_is_a_request_of_its_own(served: Served) -> None:
    """Nothing that hides behind a length borrows the token of the request before it."""
    hidden = request("GET", CONFIG, "Connection: close")
    with connected(served) as wire:
        wire.send(request("POST", ORDERS, bearer(served), JSON, "Content-Length: 2", body=b"{}" + hidden))
        first, second = wire.answer(), wire.answer()
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (422, 401)


@covers("BI:B-39")
def test_pipelined_requests_are_answered_in_order_and_believed_each_on_its_own(served: Served) -> None:
    with connected(served) as wire:
        wire.send(
            request("GET", CONFIG, bearer(served))
            + request("GET", CONFIG)
            + request("GET", CONFIG, bearer(served), "Connection: close")
        )
        answers = [wire.answer() for _ in range(3)]
        assert [answer and answer.status for answer in answers] == [200, 401, 200]
        assert wire.is_closed()


@covers("BI:B-39")
def test_http_1_0_is_answered_and_closed(served: Served) -> None:
    with connected(served) as wire:
        wire.send(request("GET", "/health/live", version="HTTP/1.0"))
        answer = wire.answer()
        assert answer is not None
        assert answer.status == 200
        assert wire.is_closed()


HUGE = {
    "BI:B-35 100,000 headers": b"GET / HTTP/1.1\r\nHost: desk\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n",
    "BI:B-35 101 headers": b"GET / HTTP/1.1\r\nHost: desk\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
    "BI:B-35 a header of 1 MB": b"GET / HTTP/1.1\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "BI:B-35 a header of 40 kB": b"GET / HTTP/1.1\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n",
    "BI:B-35 a path of 1 MB": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: desk\r\n\r\n",
    "BI:B-35 a name of 1 MB": b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000 + b": b\r\n\r\n",
}


@pytest.mark.parametrize("sent", HUGE.values(), ids=HUGE.keys())
def test_a_head_that_is_too_large_is_431_or_the_end(served: Served, sent: bytes) -> None:
    before = memory(served)
    with connected(served) as wire:
        wire.send(sent)
        answer = wire.answer()
        assert answer is None or (answer.status, answer.problem["code"]) == (431, "headers_too_large")
        assert wire.is_closed()
    assert memory(served) - before < 16_000_000
    assert served.ask("GET", CONFIG).status_code == 200


@covers("BI:B-34", "SEC:S-30")
def test_a_compressed_body_is_not_unpacked(served: Served) -> None:
    """A bomb of 50 MB."""
    before, bomb = memory(served), gzip.compress(b" " * 50_000_000)
    answer = served.ask(
        "POST", ORDERS, content=bomb, headers={"Content-Encoding": "gzip"} | dict([JSON.split(": ")])
    )
    assert answer.status_code in (413, 422)
    assert memory(served) - before < 16_000_000


@covers("BI:B-31")
def test_a_body_nested_50_000_deep_is_422(served: Served) -> None:
    for body in (b"[" * 50_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000):
        answer = served.ask("POST", ORDERS, content=body, headers=dict([JSON.split(": ")]))
        assert (answer.status_code, answer.json()["code"]) == (422, "request_validation")


@covers("BI:B-41")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Authorization: Bearer nonsense", LENGTH), 401),
        ((LENGTH,), 401),
        (("BEARER", "Content-Length: 10000000"), 413),
    ],
)
def test_who_asks_before_sending_a_body_is_refused_before_it(
    served: Served, headers: tuple[str, ...], status: int
) -> None:
    said = [bearer(served) if line == "BEARER" else line for line in headers]
    with connected(served) as wire:
        wire.send(request("POST", ORDERS, JSON, "Expect: 100-continue", *said))
        answer = wire.answer()
    assert answer is not None
    assert (answer.status, answer.problem["status"]) == (status, status)


@covers("BI:B-41")
def test_who_may_send_a_body_is_told_to_go_on(served: Served) -> None:
    with connected(served) as wire:
        wire.send(request("POST", ORDERS, JSON, "Expect: 100-continue", bearer(served), LENGTH))
        first = wire.answer()
        wire.send(BODY)
        second = wire.answer()
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (100, 200)


def dribble(wire: Wire, head: bytes) -> tuple[int | None, float]:
    """A byte every fifth of a second, or nothing at all: the status of an answer, and when it was over."""
    started = time.monotonic()
    wire.connection.settimeout(0.2)
    wire.send(head)
    while time.monotonic() - started < 30:
        try:
            if not wire._more():
                break
        except TimeoutError:
            wire.send(b" " if head else b"")
    status = int(wire.received.split()[1]) if wire.received else None
    return status, time.monotonic() - started


SLOW = {
    "a body byte by byte": ["BEARER", JSON, "Content-Length: 5000"],
    "a body that is shorter than its length": ["BEARER", JSON, "Content-Length: 5000"],
    "chunks without an end": ["BEARER", JSON, "Transfer-Encoding: chunked"],
    "a body of somebody unknown": [JSON, "Content-Length: 5000"],
}


@covers("BI:B-34", "BI:B-40")
def test_who_is_too_slow_is_hung_up_on_and_nobody_else_notices(served: Served) -> None:
    """Bodies byte by byte, without an end, and heads that never end."""
    heads = [
        request("POST", ORDERS, *(bearer(served) if line == "BEARER" else line for line in lines))
        for lines in SLOW.values()
    ]
    heads[2] += b"1000\r\n"
    heads.append(b"POST /api/v1/orders HTTP/1.1\r\nHost: desk\r\nX-Slow: ")
    heads.append(b"")

    def hang(head: bytes) -> tuple[int | None, float]:
        with connected(served) as wire:
            return dribble(wire, head)

    head, seconds = served.head(), []
    with ThreadPoolExecutor(max_workers=len(heads)) as aside:
        hanging = [aside.submit(hang, one) for one in heads]
        while not all(one.done() for one in hanging):
            started = time.monotonic()
            assert served.ask("GET", CONFIG).status_code == 200
            seconds.append(time.monotonic() - started)
            time.sleep(0.5)
    assert median(seconds) < 1
    ends = [one.result() for one in hanging]
    assert [status for status, _ in ends] == [408, 408, 408, 401, None, None]
    assert max(seconds for _, seconds in ends) < 16
    assert served.recorded_after(head) == []
