"""Ways to hang, as the source of a test that does; each marks the line it hangs in."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

HERE = "# hangs here"
IMPORTS = "import asyncio, ctypes, os, signal, subprocess, threading, time\nimport pytest\n"


@dataclass(frozen=True)
class Way:
    """``source`` defines ``test_NAME``; ``killed`` says that no Python code can end it."""

    source: str
    phase: str = "call"
    killed: bool = False

    def text(self, name: str) -> str:
        return dedent(self.source).strip("\n").replace("NAME", name) + "\n"


WAYS: dict[str, Way] = {
    "sleep": Way("def test_NAME(): time.sleep(600)  # hangs here"),
    "future": Way(
        """
        async def wait_NAME():
            await asyncio.get_running_loop().create_future()  # hangs here
        def test_NAME():
            async def main(): await asyncio.gather(asyncio.sleep(0), wait_NAME())
            asyncio.run(main())
        """
    ),
    "lock": Way(
        """
        def test_NAME():
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()  # hangs here
        """
    ),
    "gil": Way(
        """
        def test_NAME():
            while True:
                ctypes.PyDLL(None).sleep(600)  # hangs here
        """
    ),
    "gil_for_ever": Way(
        """
        def test_NAME():
            libc = ctypes.PyDLL(None)
            mutex = ctypes.create_string_buffer(64)
            libc.pthread_mutex_lock(mutex)
            libc.pthread_mutex_lock(mutex)  # hangs here
        """,
        killed=True,
    ),
    "busy": Way(
        """
        def test_NAME():
            n = 0
            while True: n += 1  # hangs here
        """
    ),
    "read": Way(
        """
        def test_NAME():
            ours, theirs = os.pipe()
            os.read(ours, 1)  # hangs here
        """
    ),
    "subprocess": Way(
        """
        def test_NAME():
            subprocess.run(["sleep", "600"])  # hangs here
        """
    ),
    "setup": Way(
        """
        @pytest.fixture
        def fixture_NAME():
            time.sleep(600)  # hangs here
        def test_NAME(fixture_NAME): pass
        """,
        phase="setup",
    ),
    "teardown": Way(
        """
        @pytest.fixture
        def fixture_NAME():
            yield
            time.sleep(600)  # hangs here
        def test_NAME(fixture_NAME): pass
        """,
        phase="teardown",
    ),
    "deaf": Way(
        """
        def test_NAME():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                try:
                    time.sleep(600)  # hangs here
                except BaseException: pass
        """,
        killed=True,
    ),
    "blocked": Way(
        """
        def test_NAME():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)  # hangs here
        """,
        killed=True,
    ),
    "swallowing": Way(
        """
        def test_NAME():
            while True:
                try:
                    time.sleep(600)  # hangs here
                except Exception: pass
        """
    ),
    "unittest": Way(
        """
        import unittest
        class TestNAME(unittest.TestCase):
            def test_NAME(self):
                time.sleep(600)  # hangs here
        """
    ),
}


def line_of(source: str, after: str = "") -> int:
    """The number of the line that is marked, the first after ``after``."""
    start = source.index(after)
    return source[: source.index(HERE, start)].count("\n") + 1
