"""Given these events, when this verb, then those events: the whole of an aggregate's test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.aggregates.refusals import Refusal

Evolve = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Given:
    evolve: Evolve
    state: Any

    def when(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> When:
        return When(self, lambda: tuple(verb(self.state, *args, **kwargs)))


@dataclass(frozen=True, slots=True)
class When:
    given: Given
    act: Callable[[], tuple[Any, ...]]

    def then(self, *expected: Any) -> Any:
        """Exactly these events. Returns the state after them."""
        assert self.act() == expected
        return folded(self.given.evolve, expected, self.given.state)

    def then_state(self) -> Any:
        """Whatever the events, the state after them."""
        return folded(self.given.evolve, self.act(), self.given.state)

    def then_refused(self, refusal: type[Refusal], **facts: Any) -> Refusal:
        with pytest.raises(refusal) as caught:
            self.act()
        assert {name: caught.value.facts.get(name) for name in facts} == facts
        return caught.value


def given(evolve: Evolve, *events: Any) -> Given:
    return Given(evolve, folded(evolve, events))


def folded(evolve: Evolve, events: Iterable[Any], state: Any = None) -> Any:
    for event in events:
        state = evolve(state, event)
    return state
