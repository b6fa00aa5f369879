"""The activities of an account, as `GET /v2/account/activities` lists and pages them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from gateway.paper.clock import trading_day
from gateway.paper.errors import invalid
from gateway.paper.facts import Posted
from gateway.paper.notation import NEW_YORK, plain, plain_or_none, read_date, read_moment, stamp
from gateway.paper.world import Execution, World

OTHER_TYPES: Final = frozenset(
    {"CFEE", "CSD", "CSW", "DIV", "FEE", "INT", "JNLC", "JNLS", "MISC", "SPLIT", "TRANS"}
)
COLLECTIVE: Final = {"TRANS": {"CSD", "CSW"}, "MISC": OTHER_TYPES - {"CSD", "CSW", "DIV"}}
PAGE: Final = 100

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One activity, as far as it has to be known to choose and sort it."""

    of: Execution | Posted
    at: datetime
    kind: str
    day: date
    order_id: str | None = None
    retracted_by: str | None = None

    @property
    def place(self) -> tuple[int, str, datetime]:
        """By time; the slices of one burst come in the order of their ids, which is any order."""
        burst = self.of.id if isinstance(self.of, Execution) and self.of.in_burst else ""
        return int(self.at.timestamp() * 1000), burst, self.at

    def as_json(self) -> Row:
        if isinstance(self.of, Posted):
            return posted_json(self.of)
        row = activity_json(self.of)
        if self.retracted_by:
            row |= {"id": _id(self.at, self.retracted_by), "qty": f"-{row['qty']}"}
        return row


def list_activities(
    world: World, account: str, query: QueryParams, kind: str | None, *, repeats: bool = False
) -> list[Row]:
    """One page, newest first unless asked otherwise; it may repeat the item it should follow."""
    wanted = _wanted_kinds(query, kind)
    entries = [*_trades(world, account), *_postings(world, account)]
    chosen = [e for e in entries if e.kind in wanted and _is_asked_for(e, query)]
    chosen.sort(key=lambda entry: entry.place)
    if query.get("direction", "desc") == "desc":
        chosen.reverse()
    return _page([entry.as_json() for entry in chosen], query, repeats=repeats)


def _trades(world: World, account: str) -> Iterator[Entry]:
    """What has become of a busted trade's activity is a question of the rules."""
    keeps = world.rules.activities_bust
    for e in world.executions.values():
        if e.account != account or (keeps == "remove" and not e.is_live):
            continue
        day = trading_day(e.at)
        yield Entry(of=e, at=e.at, kind="FILL", day=day, order_id=e.order_id)
        if keeps == "negative_row" and e.busted_by:
            yield Entry(of=e, at=e.at, kind="FILL", day=day, order_id=e.order_id, retracted_by=e.busted_by)


def _postings(world: World, account: str) -> Iterator[Entry]:
    for posted in world.posted:
        if posted.account == account:
            yield Entry(of=posted, at=posted.at, kind=posted.kind, day=posted.day)


def _id(at: datetime, identity: str) -> str:
    """New York's local time to the millisecond, then the identity of the fact."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{identity}"


def activity_json(execution: Execution) -> Row:
    return {
        "activity_type": "FILL",
        "id": _id(execution.at, execution.id),
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


def posted_json(posted: Posted) -> Row:
    return {
        "activity_type": posted.kind,
        "activity_sub_type": posted.sub_kind,
        "id": _id(posted.at, posted.id),
        "date": f"{posted.day}",
        "created_at": stamp(posted.at),
        "net_amount": plain(posted.net_amount),
        "qty": plain_or_none(posted.qty),
        "price": plain_or_none(posted.price),
        "per_share_amount": plain_or_none(posted.per_share),
        "symbol": posted.symbol,
        "cusip": None,
        "status": "executed",
        "group_id": posted.group,
        "currency": "USD",
        "description": posted.description,
    }


def _wanted_kinds(query: QueryParams, kind: str | None) -> frozenset[str]:
    known = OTHER_TYPES | {"FILL"}
    asked = {kind} if kind else {t for t in query.get("activity_types", "").split(",") if t}
    if unknown := asked - known:
        raise invalid(f"invalid activity type: {min(unknown)}")
    if category := query.get("category"):
        return frozenset({"FILL"}) if category == "trade_activity" else OTHER_TYPES
    wanted = asked or known
    return frozenset(wanted.union(*(COLLECTIVE.get(one, set()) for one in wanted)))


def _is_asked_for(entry: Entry, query: QueryParams) -> bool:
    if (order_id := query.get("order_id")) and order_id != entry.order_id:
        return False
    try:
        if day := query.get("date"):
            return entry.day == read_date(day)
        after = read_moment(query["after"]) if query.get("after") else datetime.min.replace(tzinfo=UTC)
        until = _until(query["until"]) if query.get("until") else datetime.max.replace(tzinfo=UTC)
    except ValueError:
        raise invalid("invalid date") from None
    return after < entry.at <= until


def _until(text: str) -> datetime:
    """A bare date means its end."""
    moment = read_moment(text)
    return moment + timedelta(days=1) if len(text) == 10 else moment


def _page(rows: list[Row], query: QueryParams, *, repeats: bool) -> list[Row]:
    try:
        size = int(query.get("page_size", str(PAGE)))
    except ValueError:
        raise invalid("invalid page_size") from None
    if not 1 <= size <= PAGE:
        raise invalid("invalid page_size")
    if token := query.get("page_token"):
        places = [place for place, row in enumerate(rows) if row["id"] == token]
        rows = rows[places[0] + (not repeats) :] if places else []
    return rows if query.get("date") and "page_size" not in query else rows[:size]
