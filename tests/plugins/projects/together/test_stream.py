import time

import pytest
from exchange import stream

import anyio


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [0, 1, 5])
async def test_stream(count):
    assert [price async for price in stream(range(count), 0.001)] == list(range(count))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_cancelled(anyio_backend):
    with anyio.move_on_after(0.01) as scope:
        async for _ in stream(range(10**6), 0.001):
            pass
    assert scope.cancelled_caught


@pytest.mark.timeout(10)
def test_in_time():
    time.sleep(0.01)


@pytest.mark.order(1)
def test_first():
    pass


def test_benchmark_is_plain(benchmark):
    assert benchmark.pedantic(sum, args=([1, 2],), rounds=1) == 3
