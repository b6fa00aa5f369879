"""Operations as methods: what a function of `calls` asks for is asked by the client it hangs on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Generic, ParamSpec, Protocol, TypeVar

from gateway.client.call import Call

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Asks(Protocol):
    def ask(self, call: Call[R]) -> R: ...


class AsksLater(Protocol):
    async def ask(self, call: Call[R]) -> R: ...


class Asked(Generic[P, T]):
    """A method with the function's parameters that gives its answer."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build = build

    def __get__(self, client: Asks, owner: type) -> Callable[P, T]:
        @wraps(self.build)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.ask(self.build(*args, **kwargs))

        return asked


class Awaited(Generic[P, T]):
    """The same, awaited."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self.build = build

    def __get__(self, client: AsksLater, owner: type) -> Callable[P, Awaitable[T]]:
        @wraps(self.build)
        def asked(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
            return client.ask(self.build(*args, **kwargs))

        return asked
