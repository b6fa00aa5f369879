"""A seed is a plan: the same one asks for the same and breaks the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gateway.chaos.plan import draw
from gateway.chaos.trouble import TROUBLE
from gateway.chaos.work import WORK

FAULTS: list[dict[str, Any]] = [
    {"name": "ws.lose", "parameters": {"n": {"default": 1}}},
    {"name": "http.hang", "parameters": {"phase": {"default": "before", "choices": ["before", "after"]}}},
    {"name": "order.stuck", "parameters": {"status": {"default": None, "choices": [None, "held"]}}},
]


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert draw(7, 30, FAULTS) == draw(7, 30, FAULTS)
    assert draw(7, 30, FAULTS).work != draw(8, 30, FAULTS).work


def test_another_fault_in_the_catalogue_shifts_no_request_and_no_accident() -> None:
    one, more = draw(7, 30, FAULTS[:2]), draw(7, 30, FAULTS)
    assert (one.work, one.accidents) == (more.work, more.accidents)
    assert one.faults != more.faults


def test_every_fault_comes_before_any_comes_again() -> None:
    names = [step.terms["name"] for step in draw(7, 60, FAULTS).faults]
    assert Counter(names[:3]) == {"ws.lose": 1, "http.hang": 1, "order.stuck": 1}
    assert Counter(names[3:6]) == Counter(names[:3])


def test_a_parameter_is_one_of_its_choices_and_null_is_left_out() -> None:
    drawn = [step.terms for step in draw(7, 120, FAULTS).faults]
    assert {str(terms["params"]) for terms in drawn if terms["name"] == "order.stuck"} == {
        "{}",
        "{'status': 'held'}",
    }
    assert all(terms["params"] == {} for terms in drawn if terms["name"] == "ws.lose")


def test_whatever_is_drawn_can_be_done() -> None:
    plan = draw(7, 600, FAULTS)
    assert {step.name for step in plan.work} == WORK.keys()
    assert {step.name for step in (*plan.faults, *plan.accidents)} == TROUBLE.keys()
    assert all(0 < step.at < plan.seconds for step in (*plan.work, *plan.faults, *plan.accidents))
