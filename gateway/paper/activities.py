"""The activities of an account, as `GET /v2/account/activities` lists and pages them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from gateway.paper.errors import invalid
from gateway.paper.notation import NEW_YORK, plain, read_date, read_moment, stamp
from gateway.paper.world import Execution, World

TRADE_TYPES = frozenset({"FILL"})
OTHER_TYPES = frozenset({"CFEE", "CSD", "CSW", "DIV", "FEE", "INT", "JNLC", "JNLS", "MISC", "SPLIT", "TRANS"})
PAGE = 100


def activity_id(execution: Execution) -> str:
    """New York's local time to the millisecond, then the execution's id."""
    local = execution.at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{execution.id}"


def activity_json(execution: Execution) -> dict[str, object]:
    return {
        "activity_type": "FILL",
        "id": activity_id(execution),
        "type": "partial_fill" if execution.leaves_qty else "fill",
        "transaction_time": stamp(execution.at),
        "price": plain(execution.price),
        "qty": plain(execution.qty),
        "side": execution.side,
        "symbol": execution.symbol,
        "order_id": execution.order_id,
        "order_status": execution.order_status,
        "cum_qty": plain(execution.cum_qty),
        "leaves_qty": plain(execution.leaves_qty),
    }


def list_activities(
    world: World, account: str, query: QueryParams, kind: str | None
) -> list[dict[str, object]]:
    """One page, newest first unless asked otherwise. A busted trade is no activity any more."""
    if not _wants_fills(query, kind):
        return []
    executions = [e for e in world.executions.values() if e.account == account and e.is_live]
    executions.sort(key=lambda e: e.at)
    if query.get("direction", "desc") == "desc":
        executions.reverse()
    rows = [activity_json(e) for e in executions if _is_asked_for(e, query)]
    return _page(rows, query)


def _wants_fills(query: QueryParams, kind: str | None) -> bool:
    wanted = {kind} if kind else {t for t in query.get("activity_types", "").split(",") if t}
    if unknown := wanted - TRADE_TYPES - OTHER_TYPES:
        raise invalid(f"invalid activity type: {min(unknown)}")
    if category := query.get("category"):
        return category == "trade_activity"
    return not wanted or "FILL" in wanted


def _is_asked_for(execution: Execution, query: QueryParams) -> bool:
    if (order_id := query.get("order_id")) and order_id != execution.order_id:
        return False
    try:
        if day := query.get("date"):
            return execution.at.astimezone(NEW_YORK).date() == read_date(day)
        after = read_moment(query["after"]) if query.get("after") else datetime.min.replace(tzinfo=UTC)
        until = _until(query["until"]) if query.get("until") else datetime.max.replace(tzinfo=UTC)
    except ValueError:
        raise invalid("invalid date") from None
    return after < execution.at <= until


def _until(text: str) -> datetime:
    """A bare date means its end."""
    moment = read_moment(text)
    return moment + timedelta(days=1) if len(text) == 10 else moment


def _page(rows: list[dict[str, object]], query: QueryParams) -> list[dict[str, object]]:
    try:
        size = int(query.get("page_size", str(PAGE)))
    except ValueError:
        raise invalid("invalid page_size") from None
    if not 1 <= size <= PAGE:
        raise invalid("invalid page_size")
    if token := query.get("page_token"):
        places = [place for place, row in enumerate(rows) if row["id"] == token]
        rows = rows[places[0] + 1 :] if places else []
    return rows if query.get("date") and "page_size" not in query else rows[:size]
