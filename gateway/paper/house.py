"""Everything one running exchange consists of; how it is opened, wound and emptied."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from gateway.paper.back_office import BackOffice
from gateway.paper.bars import Recording, invent_recording, read_recording, recorded_file
from gateway.paper.clock import wall
from gateway.paper.exchange import Exchange
from gateway.paper.facts import Fed, Opened, Quoted, Source
from gateway.paper.feed import Feed, Place
from gateway.paper.hub import Hub
from gateway.paper.journal import Journal
from gateway.paper.kernel import Kernel
from gateway.paper.keys import Key, Keys
from gateway.paper.market_data import MarketData
from gateway.paper.orders import ZERO
from gateway.paper.request_log import RequestLog
from gateway.paper.sockets import Sockets
from gateway.paper.world import World

DEFAULT_KEY = Key(key_id="PKLOCALEXCHANGE", secret="local-exchange-secret")  # noqa: S106 (opens only this toy)


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a new world begins. Without a seed it takes a random one, so that no two worlds share an id."""

    seed: int | None = None
    source: Source = "recorded"
    speed: int = 60
    cash: Decimal = Decimal(100_000)

    def opened(self) -> Opened:
        seed = secrets.randbits(32) if self.seed is None else self.seed
        return Opened(at=wall(), seed=seed, cash=self.cash)

    def fed(self) -> Fed:
        return Fed(at=wall(), source=_available(self.source), speed=self.speed)


class House:
    def __init__(self, directory: Path, opening: Opening, keys: tuple[Key, ...] = (DEFAULT_KEY,)) -> None:
        self.journal = Journal(directory)
        self.opening = opening
        self.keys = Keys(keys)
        self.requests = RequestLog()
        self.sockets = Sockets()
        self.hub = Hub(lambda: self.kernel.faults, self.sockets)
        self._woken = asyncio.Event()
        self._open(opening)

    def _open(self, opening: Opening) -> None:
        self.kernel = Kernel(self.journal, opening.opened(), opening.fed())
        self.kernel.publish = self.hub.publish
        self.kernel.agenda.changed = self._woken.set
        self.exchange = Exchange(self.kernel)
        self.back_office = BackOffice(self.kernel)
        self._wind()

    def reset(self, opening: Opening) -> None:
        """Begin another world: connections end, journal and logs are empty, keys are the first ones again."""
        self.hub.clear()
        self.requests.clear()
        self.keys.restore()
        self.journal.erase()
        self._open(opening)
        self.wake()

    # Prices.

    def feed_from(self, source: Source, speed: int) -> None:
        """Let another feed take over."""
        with self.kernel.turn():
            now = self.kernel.clock.now()
            self.kernel.record(Fed(at=now, source=_available(source), speed=speed))
        self._wind()

    def _wind(self) -> None:
        fed, seed = self.kernel.world.fed, self.kernel.opened.seed
        self.feed = Feed(_recording(fed.source, seed), seed=seed, speed=fed.speed, epoch=fed.at)
        self.market = MarketData(self.kernel, self.feed)
        if fed.source != "manual":
            self._step(self.feed)

    def _step(self, feed: Feed) -> None:
        """One tick of every symbol, and an appointment for the next, until another feed takes over."""
        if feed is not self.feed:
            return
        now = self.kernel.clock.now()
        place = feed.place(now)
        self._act(feed, place)
        for symbol in feed.symbols:
            tick = feed.tick(symbol, place)
            self.exchange.floor.tick(tick)
            self.market.see(symbol, Decimal(tick.size))
        self.kernel.agenda.at(feed.next_step(now), lambda: self._step(feed), routine=True)

    def _act(self, feed: Feed, place: Place) -> None:
        """Corporate actions of the recording; each takes place once in each lap."""
        occasions = self.kernel.world.occasions
        for symbol, day, ratio in feed.splits_passed(place):
            if (mark := f"{place.lap}/{symbol}/{day}") not in occasions:
                self.back_office.split(symbol, ratio, mark)
        for symbol, day, per_share in feed.dividends_passed(place):
            if (mark := f"{place.lap}/{symbol}/{day}/dividend") not in occasions:
                self.back_office.dividend(symbol, per_share, mark)

    def world_before(self, seconds: float) -> World:
        """The world as it was so long ago, except that prices are those of now."""
        then = self.kernel.clock.now() - timedelta(seconds=seconds)
        facts = list(self.journal.read())
        known = [number for number, fact in enumerate(facts, start=1) if fact.at <= then]
        past = World()
        for fact in facts[: max(known, default=1)]:
            past.apply(fact)
        for symbol, book in self.kernel.world.books.items():
            past.books[symbol].last = book.last
        return past

    def set_price(self, fact: Quoted, size: Decimal = ZERO) -> None:
        self.exchange.floor.quote(fact, size=size)
        self.market.see(fact.symbol, size)

    # Time.

    async def keep_time(self) -> None:
        """Run what is due as it becomes due, for ever."""
        while True:
            self._woken.clear()
            self.kernel.run_due()
            due = self.kernel.agenda.next_due()
            wait = self.kernel.clock.wall_seconds_until(due) if due else None
            try:
                await asyncio.wait_for(self._woken.wait(), wait)
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Look again at what is due: the clock or the agenda is another one."""
        self._woken.set()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way but the ordinary course of a day."""
        return not self.requests.in_flight() and self.kernel.agenda.is_quiet and self.hub.is_quiet


def _available(source: Source) -> Source:
    """Without a recording on this machine the synthetic feed takes its place."""
    return "synthetic" if source == "recorded" and recorded_file() is None else source


def _recording(source: Source, seed: int) -> Recording:
    path = recorded_file()
    if source == "recorded" and path is not None:
        return read_recording(path)
    return invent_recording(seed)
