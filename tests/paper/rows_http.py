"""Faults between a client and its answer, each as the client sees it."""

from __future__ import annotations

import requests

from tests.paper.bench import POSTS, Bench, shows


@shows("http.status")
def _(bench: Bench) -> None:
    bench.arm("http.status", match=POSTS)
    assert (bench.post().status_code, bench.orders()) == (500, [])


@shows("http.status_after")
def _(bench: Bench) -> None:
    bench.arm("http.status_after", match=POSTS)
    assert (bench.post().status_code, len(bench.orders())) == (504, 1)


@shows("http.hang")
def _(bench: Bench) -> None:
    bench.arm("http.hang", match=POSTS, phase="after", seconds=0.3)
    assert bench.took(bench.submit) > 0.3


@shows("http.reset")
def _(bench: Bench) -> None:
    bench.arm("http.reset", match=POSTS)
    assert (bench.lost(), bench.orders()) == (requests.ConnectionError, [])


@shows("http.close")
def _(bench: Bench) -> None:
    bench.arm("http.close", match=POSTS, phase="after")
    assert (bench.lost(), len(bench.orders())) == (requests.ConnectionError, 1)


@shows("http.truncate")
def _(bench: Bench) -> None:
    for framing in ("length", "chunked"):
        bench.arm("http.truncate", match=POSTS, framing=framing)
        assert bench.lost() is requests.exceptions.ChunkedEncodingError
    assert len(bench.orders()) == 2


@shows("http.drip")
def _(bench: Bench) -> None:
    bench.arm("http.drip", match=POSTS, bytes=300)
    assert bench.took(bench.submit) > 0.1


@shows("http.body")
def _(bench: Bench) -> None:
    bench.arm("http.body", match=POSTS, body="<html>")
    answer = bench.post()
    assert (answer.status_code, answer.text, len(bench.orders())) == (200, "<html>", 1)


@shows("http.redirect")
def _(bench: Bench) -> None:
    bench.arm("http.redirect", match=POSTS, location="/elsewhere")
    answer = bench.post()
    assert (answer.status_code, answer.headers["location"], len(bench.orders())) == (302, "/elsewhere", 1)


@shows("http.latency")
def _(bench: Bench) -> None:
    bench.arm("http.latency", match=POSTS, ms=100, jitter_ms=50)
    assert bench.took(bench.submit) > 0.2


@shows("http.refuse")
def _(bench: Bench) -> None:
    bench.submit()
    bench.arm("http.refuse", seconds=1)
    try:
        bench.post()
    except requests.ConnectionError as error:
        assert "Connection refused" in str(error)
    else:
        raise AssertionError("somebody answered")
    assert bench.listener.events(1) == ["new"], "connections that stand are not concerned"
    assert bench.took(lambda: _until_answered(bench)) > 0.1
    assert len(bench.orders()) == 1


def _until_answered(bench: Bench) -> None:
    while True:
        try:
            bench.client.get_account()
        except requests.ConnectionError:
            continue
        return


@shows("http.rate_limit")
def _(bench: Bench) -> None:
    bench.arm("http.rate_limit", match=POSTS, limit=1, headers="alpaca", body="html")
    assert bench.post().status_code == 200
    refused = bench.post()
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (429, "0")
    assert refused.text.startswith("<html>")


@shows("http.auth")
def _(bench: Bench) -> None:
    bench.arm("http.auth")
    assert [bench.post().status_code for _ in range(2)] == [401, 401]
