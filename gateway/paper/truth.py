"""The oracle: what really happened here, whatever anybody was told."""

from __future__ import annotations

from gateway.paper.activities import posted_json
from gateway.paper.back_office import accrued_fees, fees_paid
from gateway.paper.notation import plain, stamp
from gateway.paper.orders import order_json
from gateway.paper.portfolio import positions_json
from gateway.paper.world import Execution, World


def truth(world: World, accounts: list[str]) -> dict[str, object]:
    """All accounts together in `orders` and `executions`; one entry for each of `accounts`."""
    executions = list(world.executions.values())
    return {
        "orders": [{"account": o.account, **order_json(o)} for o in world.orders.values()],
        "executions": {
            "live": [_execution_json(e) for e in executions if e.is_live],
            "busted": [_execution_json(e) for e in executions if not e.is_live],
        },
        "accounts": {
            account: {
                "cash": plain(world.account(account).cash),
                "fees": plain(fees_paid(world, account)),
                "accrued_fees": plain(accrued_fees(world, account)),
                "positions": positions_json(world, account, {}),
                "activities": [posted_json(p) for p in world.posted if p.account == account],
            }
            for account in accounts
        },
    }


def _execution_json(execution: Execution) -> dict[str, object]:
    return {
        "id": execution.id,
        "order_id": execution.order_id,
        "account": execution.account,
        "symbol": execution.symbol,
        "side": execution.side,
        "qty": plain(execution.qty),
        "price": plain(execution.price),
        "at": stamp(execution.at),
        "busted_by": execution.busted_by,
        "replaces": execution.replaces,
    }
