import asyncio
import logging

import pytest
import pytest_asyncio
from feed import PriceFeed, first_above


@pytest_asyncio.fixture
async def feed():
    feed = PriceFeed()
    yield feed
    await feed.close()
    print("feed closed")


async def test_publish(feed):
    queue = feed.subscribe()
    await feed.publish("ABC", 10)
    assert await queue.get() == ("ABC", 10)


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_every_subscriber_gets_it(feed, count):
    queues = [feed.subscribe() for _ in range(count)]
    await feed.publish("ABC", 1)
    assert [await queue.get() for queue in queues] == [("ABC", 1)] * count


async def test_first_above(feed):
    queue = feed.subscribe()
    waiter = asyncio.create_task(first_above(queue, 5))
    for price in (1, 5, 6):
        await feed.publish("XYZ", price)
    assert await asyncio.wait_for(waiter, 5) == "XYZ"


async def test_wait_ends(feed):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(first_above(feed.subscribe(), 5), 0.02)


async def test_closed_feed(feed):
    await feed.close()
    await feed.publish("ABC", 1)


async def test_log_and_output(feed):
    print("from the loop")
    logging.getLogger("feed").warning("price missing")
    assert feed.queues == [None]


@pytest.mark.skip(reason="no exchange today")
async def test_exchange(feed):
    raise AssertionError


@pytest.mark.xfail(raises=KeyError, strict=True)
async def test_xfail():
    await asyncio.sleep(0)
    raise KeyError("x")


@pytest_asyncio.fixture
async def broken():
    await asyncio.sleep(0)
    raise RuntimeError("no feed")


async def test_broken_fixture(broken):
    pass


def test_plain_function_has_no_loop():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
