"""Every state and every event a scenario produces comes back from JSON as it went in."""

from __future__ import annotations

import msgspec
import pytest

from gateway.aggregates.order.state import Order
from gateway.aggregates.position.state import Position
from gateway.aggregates.reports import ExecutionReport
from tests.aggregates.desk import Desk
from tests.aggregates.scenario import Scenario
from tests.aggregates.scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_states_and_events_survive_being_written_as_json(scenario: Scenario) -> None:
    desk = Desk().submit() if scenario.submitted else Desk()
    for act, _ in scenario.steps:
        desk = desk.hears(act) if isinstance(act, ExecutionReport) else act(desk)
    assert msgspec.json.decode(msgspec.json.encode(desk.now), type=Order) == desk.now
    assert msgspec.json.decode(msgspec.json.encode(desk.position), type=Position) == desk.position
    for event in (*desk.order_events, *desk.history):
        assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event
