"""`python -m gateway.paper`: the exchange alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.paper.app import serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="gateway.paper", description="A local exchange that speaks Alpaca's API."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--directory", type=Path, default=Path(".gateway/paper"), help="where the journal is kept"
    )
    parser.add_argument("--source", choices=("recorded", "synthetic", "manual"), default="recorded")
    parser.add_argument(
        "--seed", type=int, help="the same seed and inputs give the same ids; random unless given"
    )
    parser.add_argument("--speed", type=int, default=60, help="seconds of recorded trading per second")
    asked = parser.parse_args()
    serve(asked.host, asked.port, asked.directory, seed=asked.seed, speed=asked.speed, source=asked.source)


if __name__ == "__main__":
    main()
