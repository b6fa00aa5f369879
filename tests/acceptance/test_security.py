"""What a caller cannot say of itself, and who holds no key to the switches."""

from __future__ import annotations

import pytest

from gateway.api.roles import SERVICES, Permission
from tests.kit.covers import covers
from tests.kit.house import House

OURS = {
    "status": "filled",
    "filled_qty": "10",
    "actor": "bob",
    "source": "broker",
    "dry_run": True,
    "created_at": "2026-11-20T15:00:00Z",
}


@covers("SEC:S-16")
async def test_what_only_the_gateway_may_say_of_an_order_is_refused_in_a_request(house: House) -> None:
    for field, value in OURS.items():
        refused = await house.submit(**{field: value})
        assert (refused.status_code, refused.json()["code"]) == (422, "request_validation"), field
        assert [problem["loc"][-1] for problem in refused.json()["errors"]] == ["(unknown field)"]
    assert house.posts() == 0


@covers("SEC:S-17", "FC:F-08")
@pytest.mark.parametrize("service", SERVICES)
def test_no_service_can_let_go_what_a_person_has_stopped(service: str) -> None:
    assert SERVICES[service].isdisjoint({Permission.OPERATE_KILL_SWITCH, Permission.RESET_CIRCUIT})
