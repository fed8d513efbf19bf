from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from trading.feed import FeedError, PriceFeed, Source, Tick, replay

pytestmark = pytest.mark.waits


def failing(times: int, prices: list[int], interval: float = 0.02) -> Source:
    """A source that fails when opened, ``times`` times, and then replays the prices."""
    opened = 0
    rest = replay("ACME", prices, interval)

    async def source() -> AsyncIterator[Tick]:
        nonlocal opened
        opened += 1
        if opened <= times:
            raise FeedError("no connection")
        async for tick in rest():
            yield tick

    return source


async def read(feed: PriceFeed, symbol: str = "ACME") -> list[int]:
    return [tick.price async for tick in feed.subscribe(symbol)]


@pytest.mark.parametrize("interval", [0.01, 0.05])
@pytest.mark.parametrize("count", [1, 5, 10])
def test_every_tick_arrives_in_order(interval: float, count: int) -> None:
    async def scenario() -> list[int]:
        async with PriceFeed(replay("ACME", range(100, 100 + count), interval)) as feed:
            return await read(feed)

    started = time.monotonic()
    assert asyncio.run(scenario()) == list(range(100, 100 + count))
    assert time.monotonic() - started >= count * interval * 0.9


@pytest.mark.parametrize("readers", [1, 20])
def test_every_reader_sees_every_tick(readers: int) -> None:
    async def scenario() -> list[list[int]]:
        async with PriceFeed(replay("ACME", range(8), 0.03)) as feed:
            return await asyncio.gather(*(read(feed) for _ in range(readers)))

    assert asyncio.run(scenario()) == [list(range(8))] * readers


def test_a_reader_sees_only_its_symbol() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        async with PriceFeed(replay("ACME", [1, 2, 3], 0.02)) as feed:
            one, other = await asyncio.gather(read(feed, "ACME"), read(feed, "INIT"))
            return one, other

    assert asyncio.run(scenario()) == ([1, 2, 3], [])


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_the_feed_connects_again(failures: int) -> None:
    async def scenario() -> tuple[list[int], int]:
        async with PriceFeed(failing(failures, [7, 8, 9])) as feed:
            return await read(feed), feed.reconnects

    started = time.monotonic()
    assert asyncio.run(scenario()) == ([7, 8, 9], failures)
    assert time.monotonic() - started >= 0.9 * sum((0.1, 0.2, 0.4)[:failures])


def test_the_feed_gives_up_at_last() -> None:
    async def scenario() -> None:
        async with PriceFeed(failing(9, []), pauses=(0.05, 0.1)) as feed:
            await read(feed)

    with pytest.raises(FeedError, match="gave up after 2 reconnects: no connection"):
        asyncio.run(scenario())


def test_a_connection_lost_halfway_goes_on_where_it_was() -> None:
    rest = replay("ACME", range(6), 0.02)

    async def source() -> AsyncIterator[Tick]:
        async for tick in rest():
            yield tick
            if tick.sequence in (1, 3):
                raise FeedError("lost")

    async def scenario() -> tuple[list[int], int]:
        async with PriceFeed(source, pauses=(0.1,)) as feed:
            return await read(feed), feed.reconnects

    assert asyncio.run(scenario()) == ([0, 1, 2, 3, 4, 5], 2)


@pytest.mark.parametrize(("maxsize", "dropped"), [(1, 9), (4, 6), (10, 0)])
def test_a_slow_reader_loses_the_oldest(maxsize: int, dropped: int) -> None:
    async def scenario() -> tuple[list[int], int]:
        async with PriceFeed(replay("ACME", range(10), 0.01)) as feed:
            subscription = feed.subscribe("ACME", maxsize)
            assert await read(feed) == list(range(10))
            return [tick.price async for tick in subscription], subscription.dropped

    assert asyncio.run(scenario()) == (list(range(dropped, 10)), dropped)


def test_a_silent_feed_is_stale() -> None:
    async def scenario() -> list[bool]:
        async with PriceFeed(replay("ACME", [1], 0.01), stale_after=0.4) as feed:
            states = [feed.is_stale("ACME")]
            await feed.next("ACME", 5)
            states.append(feed.is_stale("ACME"))
            await asyncio.sleep(0.5)
            return [*states, feed.is_stale("ACME")]

    assert asyncio.run(scenario()) == [True, False, True]


def test_next_gives_one_tick_and_last_keeps_it() -> None:
    async def scenario() -> tuple[Tick, Tick | None, Tick | None]:
        async with PriceFeed(replay("ACME", [5], 0.05)) as feed:
            return await feed.next("ACME", 5), feed.last("ACME"), feed.last("INIT")

    assert asyncio.run(scenario()) == (Tick("ACME", 5, 0), Tick("ACME", 5, 0), None)


def test_a_reader_that_comes_too_late_is_told() -> None:
    async def scenario() -> None:
        async with PriceFeed(failing(9, []), pauses=(0.05,)) as feed:
            await asyncio.sleep(0.2)
            await read(feed)

    with pytest.raises(FeedError, match="gave up after 1"):
        asyncio.run(scenario())


def test_next_gives_up_when_nothing_comes() -> None:
    async def scenario() -> None:
        async with PriceFeed(replay("ACME", [1], 5.0)) as feed:
            await feed.next("ACME", 0.2)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(scenario())
