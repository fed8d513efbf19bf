"""Loops wider than one test: every test of the class must see the loop of its fixture, in whatever process."""

import asyncio
import signal
import subprocess
import sys

import pytest
import pytest_asyncio


@pytest.mark.asyncio(loop_scope="class")
class TestSharedLoop:
    @pytest_asyncio.fixture(loop_scope="class", scope="class")
    async def loop_of_class(self):
        yield asyncio.get_running_loop()

    @pytest.mark.parametrize("number", range(4))
    async def test_same_loop(self, loop_of_class, number):
        await asyncio.sleep(0.01)
        assert asyncio.get_running_loop() is loop_of_class


async def test_another_loop_per_function(request):
    assert asyncio.get_running_loop().is_running()


@pytest.mark.parametrize("number", range(3))
async def test_call_soon_threadsafe(number):
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    await loop.run_in_executor(None, loop.call_soon_threadsafe, got.set_result, number)
    assert await got == number


async def test_subprocess():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", "print('ok')", stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.strip() == b"ok"
    assert process.returncode == 0


async def test_signal_handler():
    loop = asyncio.get_running_loop()
    got = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, got.set_result, True)
    signal.raise_signal(signal.SIGUSR1)
    assert await asyncio.wait_for(got, 5)
    loop.remove_signal_handler(signal.SIGUSR1)
