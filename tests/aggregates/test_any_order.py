"""Properties: what is known does not depend on how the facts arrived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.aggregates.cost_basis import unrealized
from gateway.aggregates.exact import plus, total
from gateway.aggregates.reports import ExecutionReport, ReportKind
from gateway.aggregates.vocabulary import OrdStatus, ReportSource
from tests.aggregates.desk import Desk, broker_order, bust, correct, d, ticket, total_only, trade, word

OPEN_WORDS = ("new", "accepted", "suspended", "stopped", "done_for_day", "pending_cancel", "pending_replace")
CLOSING_WORDS = ("canceled", "expired", "rejected", "replaced")
sizes = st.decimals(min_value="0.1", max_value="40", places=1)
prices = st.decimals(min_value="1", max_value="20", places=2)


@dataclass(frozen=True, slots=True)
class Told:
    status: str
    cum: Decimal
    avg: Decimal | None
    leaves: Decimal
    position: Decimal
    worth: Decimal


def outcome(desk: Desk, mark: Decimal) -> Told:
    account = desk.position.account
    return Told(
        desk.now.status,
        desk.now.cum_qty,
        desk.now.avg_px,
        desk.now.leaves_qty,
        account.qty,
        plus(account.realized, unrealized(account, mark)),
    )


@st.composite
def executions(draw: st.DrawFn) -> list[ExecutionReport]:
    cum, facts = Decimal(0), []
    for number in range(draw(st.integers(0, 4))):
        qty = draw(sizes)
        cum += qty
        facts.append(trade(f"e{number}", qty, draw(prices), 10 + number, cum))
    return facts


@st.composite
def lives(draw: st.DrawFn) -> list[ExecutionReport]:
    """What a broker may say of one order: words at their own times, executions, and what undoes them."""
    facts = draw(executions())
    names = [f.exec_id for f in facts if f.exec_id]
    words = draw(st.lists(st.sampled_from(OPEN_WORDS), max_size=3))
    facts += [word(name, minute) for minute, name in enumerate(words, start=20)]
    closing = draw(st.lists(st.sampled_from(CLOSING_WORDS), max_size=2, unique=True))
    facts += [word(name, minute) for minute, name in enumerate(closing, start=30)]
    for name in names:
        fate = draw(st.sampled_from(("stands", "stands", "busted", "corrected", "both")))
        if fate in ("corrected", "both"):
            facts.append(correct(f"c-{name}", name, draw(sizes), draw(prices), 40))
        if fate in ("busted", "both"):
            facts.append(bust(f"b-{name}", name if fate == "busted" else f"c-{name}", 41))
    return facts


def doors(fact: ExecutionReport) -> st.SearchStrategy[ReportSource]:
    """An execution may come through any door; a word's own time only through those that push."""
    pushed = [ReportSource.STREAM, ReportSource.WEBHOOK]
    return st.sampled_from(pushed if fact.kind is ReportKind.STATUS else list(ReportSource))


@settings(max_examples=200, deadline=None)
@given(lives(), st.data())
def test_any_permutation_duplication_and_source_mix_ends_the_same(
    facts: list[ExecutionReport], data: st.DataObject
) -> None:
    straight = Desk().submit().hears(*facts)
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = [replace(f, source=data.draw(doors(f))) for f in data.draw(st.permutations(repeated))]
    assert outcome(Desk().submit().hears(*shuffled), d(7)) == outcome(straight, d(7))


@settings(max_examples=200, deadline=None)
@given(executions(), st.data())
def test_totals_among_the_executions_add_nothing_once_all_are_in(
    facts: list[ExecutionReport], data: st.DataObject
) -> None:
    """Provisional quantity, fills without an id and fills without a total give way to the real ones."""
    told: list[ExecutionReport] = list(facts)
    for fact in facts:
        assert fact.cum_qty is not None and fact.last_qty is not None and fact.last_px is not None
        way = data.draw(st.sampled_from(("total", "no-id", "both", "neither")))
        if way in ("total", "both"):
            told.append(total_only(fact.cum_qty, fact.last_px, 15))
        if way in ("no-id", "both"):
            told.append(replace(fact, exec_id=None, source=ReportSource.WEBHOOK))
    arrivals = data.draw(st.permutations(told))
    straight, mixed = Desk().submit().hears(*facts), Desk().submit().hears(*arrivals)
    assert outcome(mixed, d(7)) == outcome(straight, d(7))
    assert "provisional" not in mixed.now.flags


@settings(max_examples=80, deadline=None)
@given(lives(), st.data())
def test_samples_of_the_brokers_copy_never_add_quantity(
    facts: list[ExecutionReport], data: st.DataObject
) -> None:
    executed = [f for f in facts if f.kind is ReportKind.TRADE]
    arrivals = data.draw(st.permutations(executed))
    desk = Desk().submit().hears(*arrivals)
    before = desk.now.cum_qty
    held = broker_order("partially_filled", 60, filled_qty=d(99), filled_avg_px=d(10))
    sample = word("lookup", None, source=ReportSource.LOOKUP, order=held)
    desk.hears(sample)
    recorded = len(desk.order_events)
    assert desk.hears(sample, sample).now.cum_qty == before
    assert len(desk.order_events) == recorded


@settings(max_examples=80, deadline=None)
@given(st.lists(lives(), min_size=1, max_size=3), st.data())
def test_reserved_is_the_leaves_and_the_position_is_the_executions_of_all_orders(
    several: list[list[ExecutionReport]], data: st.DataObject
) -> None:
    desk, orders = Desk(), []
    for number, facts in enumerate(several):
        side = data.draw(st.sampled_from(list(ticket().side.__class__)))
        name = ticket().symbol.__class__(f"order{number}")
        desk.submit(ticket(side=side), client_order_id=name)  # type: ignore[arg-type]
        desk.hears(*data.draw(st.permutations(facts)))
        orders.append(desk.now)
    reserved = total(qty for _, qty in desk.position.reserved.values())
    assert reserved == total(order.leaves_qty for order in orders)
    signed = (order.cum_qty * order.ticket.side.sign for order in orders)
    assert desk.position.qty == total(signed)


def test_a_filled_word_alone_fills_nothing() -> None:
    assert Desk().submit().hears(word("filled", 3)).now.status is OrdStatus.SUBMITTED
