"""A shadow pass computes what a real one would write, and writes none of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.contract.steps import fill_at_exchange, reconcile, resting_order, traded
from tests.contract.test_breaks import endow
from tests.kit.covers import covers
from tests.kit.house import House

EXPECTED = Path(__file__).parent / "expected_writes.json"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|\+00:00))?")
NAME = re.compile(r"(\d{17}::)?[0-9a-f]{8}-[0-9a-f-]{27}")


def normal(writes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the moments, and with the broker's ids numbered as they appear."""
    names: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return names.setdefault(found[0].rpartition("::")[2], f"id-{len(names) + 1}")

    text = json.dumps(writes, default=str, indent=1, sort_keys=True)
    found: list[dict[str, Any]] = json.loads(NAME.sub(numbered, MOMENT.sub("moment", text)))
    return found


async def much_unheard_of(house: House) -> None:
    """A holding, then everything that a pass repairs, while the stream tells nothing."""
    await traded(house, "buy", "100", "90", name="held")
    for name in ("filled", "canceled"):
        await resting_order(house, client_order_id=name)
        await house.until_status(name, "new")
    house.exchange.arm("ws.lose", times=-1)
    orders = {name: await house.order(name) for name in ("filled", "canceled")}
    fill_at_exchange(house, orders["filled"], "4", "90")
    house.exchange.ctl("POST", f"orders/{orders['canceled']['broker_order_id']}/cancel", {})
    house.exchange.ctl("POST", "dividend", {"symbol": "AAPL", "amount": "0.25"})
    foreign = {"symbol": "MSFT", "side": "buy", "qty": "5", "type": "limit", "limit_price": "150"}
    house.exchange.ctl(
        "POST", "foreign_order", foreign | {"time_in_force": "day", "client_order_id": "from-the-app"}
    )


async def written_after(house: House, position: int) -> list[tuple[str, str]]:
    found = await house.gateway.ledger.log.read(position, 1000)
    return [(e.stream, type(e.event).__name__) for e in found if e.stream != "recon-gate"]


@covers("INV-30")
async def test_what_a_shadow_pass_would_write_is_what_was_agreed_and_what_the_real_one_writes(
    house: House,
) -> None:
    """The passes differ in nothing but the moment at which they look."""
    await much_unheard_of(house)
    before = await house.gateway.ledger.log.head()
    first, again = [(await reconcile(house, shadow=True))["shadow_reports"] for _ in range(2)]
    assert normal(first) == normal(again)
    assert await house.gateway.ledger.log.head() == before
    assert normal(first) == json.loads(EXPECTED.read_text())
    await reconcile(house)
    assert await written_after(house, before) == [(w["stream"], w["event"]) for w in first]
    assert (await reconcile(house, shadow=True))["shadow_reports"] == []


async def test_a_shadow_pass_leaves_the_suspicions_of_the_real_one_alone(house: House) -> None:
    """A second look by a shadow is none: the break needs two real ones."""
    endow(house, "50", "120")
    await reconcile(house, shadow=True)
    assert (await reconcile(house))["breaks_open"] == 0
    shadow = await reconcile(house, shadow=True)
    assert {w["event"] for w in shadow["shadow_reports"]} == {"PositionQuarantined"}
    assert shadow["breaks_open"] == 1
    assert (await reconcile(house))["breaks_open"] == 1
