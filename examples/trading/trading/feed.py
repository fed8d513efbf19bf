"""An asynchronous price feed: one source, many subscribers.

The source is an async generator that may fail; the feed opens it again after a pause that grows, and gives up when the
pauses are used up. A subscriber that reads too slowly loses its oldest ticks and never delays the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Tick:
    symbol: str
    price: int
    sequence: int


class FeedError(Exception):
    """The source lost its connection, or the feed gave up on it."""


Source = Callable[[], AsyncIterator[Tick]]


def replay(symbol: str, prices: Iterable[int], interval: float) -> Source:
    """A source that gives the prices one by one, ``interval`` seconds apart; opened again, it goes on where it was."""
    remaining = iter(list(enumerate(prices)))

    async def source() -> AsyncIterator[Tick]:
        for sequence, price in remaining:
            await asyncio.sleep(interval)
            yield Tick(symbol, price, sequence)

    return source


class Subscription:
    """What one reader has not read yet; iterate over it with ``async for``."""

    def __init__(self, symbol: str, maxsize: int) -> None:
        self.symbol = symbol
        self.dropped = 0
        self._maxsize = maxsize
        self._ticks: list[Tick] = []
        self._changed = asyncio.Event()
        self._closed = False
        self._error: FeedError | None = None

    def push(self, tick: Tick) -> None:
        if len(self._ticks) == self._maxsize:
            self._ticks.pop(0)
            self.dropped += 1
        self._ticks.append(tick)
        self._changed.set()

    def close(self, error: FeedError | None = None) -> None:
        self._closed = True
        self._error = error
        self._changed.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Tick:
        while not self._ticks:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._ticks.pop(0)


class PriceFeed:
    """``async with PriceFeed(source) as feed:`` reads the source in a task until the block ends."""

    def __init__(
        self,
        source: Source,
        *,
        pauses: Sequence[float] = (0.1, 0.2, 0.4),
        stale_after: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reconnects = 0
        self._source = source
        self._pauses = tuple(pauses)
        self._stale_after = stale_after
        self._clock = clock
        self._last: dict[str, tuple[float, Tick]] = {}
        self._subscriptions: list[Subscription] = []
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._error: FeedError | None = None

    async def __aenter__(self) -> PriceFeed:
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def subscribe(self, symbol: str, maxsize: int = 64) -> Subscription:
        subscription = Subscription(symbol, maxsize)
        self._subscriptions.append(subscription)
        if self._ended:
            subscription.close(self._error)
        return subscription

    def last(self, symbol: str) -> Tick | None:
        return self._last[symbol][1] if symbol in self._last else None

    def is_stale(self, symbol: str) -> bool:
        """True when the symbol has not been heard of for ``stale_after`` seconds, or never."""
        return symbol not in self._last or self._clock() - self._last[symbol][0] > self._stale_after

    async def next(self, symbol: str, timeout: float) -> Tick:
        """The next tick of a symbol; :class:`asyncio.TimeoutError` when none comes, FeedError when none can come."""
        subscription = self.subscribe(symbol, 1)
        try:
            return await asyncio.wait_for(subscription.__anext__(), timeout)
        except StopAsyncIteration:
            raise FeedError("the feed has ended") from None
        finally:
            self._subscriptions.remove(subscription)

    def _publish(self, tick: Tick) -> None:
        self._last[tick.symbol] = (self._clock(), tick)
        for subscription in self._subscriptions:
            if subscription.symbol == tick.symbol:
                subscription.push(tick)

    async def _run(self) -> None:
        pauses = list(self._pauses)
        while True:
            try:
                async for tick in self._source():
                    self._publish(tick)
                    pauses = list(self._pauses)
                break
            except FeedError as lost:
                if not pauses:
                    self._error = FeedError(f"gave up after {self.reconnects} reconnects: {lost}")
                    break
                await asyncio.sleep(pauses.pop(0))
                self.reconnects += 1
        self._ended = True
        for subscription in self._subscriptions:
            subscription.close(self._error)
