import pytest
import sniffio
from pool import Pool

import anyio

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(anyio_backend_name):
    pool = Pool(2)
    yield pool
    await anyio.lowlevel.checkpoint()
    print("pool left on", anyio_backend_name)


async def test_backend(anyio_backend_name):
    assert sniffio.current_async_library() == anyio_backend_name


async def test_one(pool):
    async with pool.connection() as number:
        assert number == 1


async def test_limit(pool):
    async def use():
        async with pool.connection():
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(use)
    assert pool.most == 2


async def test_cancelled(pool):
    with anyio.move_on_after(0.01) as scope:
        async with pool.connection():
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_wrong_number(pool):
    async with pool.connection() as number:
        assert number == 3


async def test_socket():
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def serve(client):
        async with client:
            await client.send(await client.receive())

    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"ping")
            assert await stream.receive() == b"ping"
        group.cancel_scope.cancel()
    await listener.aclose()


async def test_in_thread():
    assert await anyio.to_thread.run_sync(sum, [1, 2, 3]) == 6


@pytest.mark.skip(reason="needs a database")
async def test_database(pool):
    raise AssertionError


@pytest.fixture
async def broken(anyio_backend_name):
    raise LookupError(anyio_backend_name)


async def test_broken_fixture(broken):
    pass
