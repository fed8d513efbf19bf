"""What Python and the operating system keep per process: each repair is there, and is needed."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from conftest import Outcome, Project


def test_descriptors_of_siblings_are_closed(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import os
        def pipes():
            names = []
            for fd in os.listdir("/proc/self/fd"):
                try:
                    names.append(os.readlink(f"/proc/self/fd/{fd}"))
                except OSError:
                    pass
            return {name for name in names if name.startswith("pipe:")}
        BEFORE = pipes()
        """,
    )
    project.write(
        "test_it.py",
        """
        import pytest, conftest
        @pytest.mark.parametrize("n", range(3))
        def test_it(n, record_property):
            record_property("pipes", len(conftest.pipes() - conftest.BEFORE))
        """,
    )
    project.needs("close_fds", lambda outcome: outcome.said("pipes") == [1, 1, 1], workers=3)


SIGNALS = """
import os, signal, pytest
@pytest.mark.parametrize("n", range(2))
def test_it(n, record_property):
    record_property("handler", signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
    record_property("group", os.getpgid(0) == os.getpid())
    record_property("wakeup", signal.set_wakeup_fd(-1))
"""


def test_signals_are_the_workers_own(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import os, signal
        READ, WRITE = os.pipe()
        os.set_blocking(WRITE, False)
        signal.set_wakeup_fd(WRITE)
        """,
    )
    project.write("test_it.py", SIGNALS)
    repaired, broken = project.run(), project.run(without=("signals",))
    for name, value in (("handler", True), ("group", True), ("wakeup", -1)):
        assert repaired.said(name) == [value, value]
        assert value not in broken.said(name)


def test_a_worker_dies_with_its_template(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, signal, time
        def test_it():
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(1)
        """,
    )

    def right(outcome: Outcome) -> bool:
        worker = project.folder / f"out{project.runs}" / "gw0.jsonl"
        deadline = time.monotonic() + 3
        while Path(f"/proc/{outcome.workers[0].one('pid')}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return '"when": "call"' not in worker.read_text()

    project.needs("signals", right, workers=1)


def test_exit_handlers_of_the_template_run_in_the_template_only(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import atexit, os
        @atexit.register
        def handler():
            with open(os.environ["HANDLED"], "a") as file:
                file.write("x")
        """,
    )
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(2))\ndef test_it(n): pass\n")

    def once(outcome: Outcome) -> bool:
        text = handled.read_text()
        handled.unlink()
        return text == "x"

    handled = project.folder / "handled"
    project.environ["HANDLED"] = str(handled)
    project.needs("atexit", once)


def test_children_of_the_template_are_not_the_workers(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import multiprocessing, time
        def pytest_collection_finish():
            multiprocessing.get_context("fork").Process(target=time.sleep, args=(0.8,), daemon=True).start()
        """,
    )
    project.write(
        "test_it.py",
        """
        import multiprocessing, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, record_property):
            record_property("children", len(multiprocessing.active_children()))
        """,
    )
    project.needs("multiprocessing", lambda outcome: outcome.said("children") == [0, 0])


def test_the_environment_names_the_worker(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, record_property):
            names = ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")
            record_property("environ", [os.environ.get(name) for name in names])
        """,
    )
    project.workerinput["testrunuid"] = "abc"
    project.needs("environ", lambda outcome: outcome.said("environ") == [["gw0", "2", "abc"], ["gw1", "2", "abc"]])


@pytest.mark.parametrize("arguments", [("-s",), ()], ids=["no-capture", "capture"])
def test_input_and_output_lead_nowhere(project: Project, arguments: tuple[str, ...]) -> None:
    project.write(
        "test_it.py",
        """
        import os, sys
        def test_it(record_property, pytestconfig):
            manager = pytestconfig.pluginmanager.getplugin("capturemanager")
            with manager.global_and_fixture_disabled():
                os.write(1, b"noise")
                record_property("input", os.read(0, 10).decode())
        """,
    )
    project.needs(
        "stdio",
        lambda outcome: outcome.said("input") == [""] and "noise" not in outcome.stdout,
        *arguments,
        workers=1,
        stdin="typed",
    )


def test_an_event_loop_is_not_inherited(project: Project) -> None:
    """The first worker closes its loop, which must not deafen the loop in which the second waits for a thread."""
    project.write(
        "conftest.py",
        """
        import asyncio
        asyncio.set_event_loop(asyncio.new_event_loop())
        """,
    )
    project.write(
        "test_it.py",
        """
        import asyncio, gc, os, time, pytest, pathlib
        def wait(path):
            while not path.exists():
                time.sleep(0.01)
        def answer():
            time.sleep(0.1)
            return 42
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, record_property):
            gc.collect()
            closed = pathlib.Path(os.environ["CLOSED"])
            loop = asyncio.get_event_loop()
            if n == 1:
                wait(closed)
            start = time.monotonic()
            future = loop.run_in_executor(None, answer)
            record_property("answer", loop.run_until_complete(asyncio.wait_for(future, 1)))
            record_property("prompt", time.monotonic() - start < 0.8)
            loop.close()
            closed.touch()
        """,
    )
    closed = project.folder / "closed"
    project.environ["CLOSED"] = str(closed)

    def right(outcome: Outcome) -> bool:
        closed.unlink()
        warnings = [text for worker in outcome.workers for text in worker.each("warning")]
        answered = outcome.said("answer") == [42, 42] and outcome.said("prompt") == [True, True]
        return answered and not any("unclosed" in text for text in warnings)

    if sys.version_info < (3, 12):
        project.needs("asyncio", right, "-Walways::ResourceWarning")
    else:
        assert right(project.run("-Walways::ResourceWarning", without=("asyncio",)))


RANDOM = """
import random, pytest
@pytest.mark.parametrize("n", range(2))
def test_it(n, record_property):
    record_property("number", random.random())
"""


def test_a_seeded_generator_stays_seeded(project: Project) -> None:
    project.write("conftest.py", "import random\nrandom.seed(42)\nrandom.random()\n")
    project.write("test_it.py", RANDOM)
    expected = random.Random(42)
    expected.random()
    number = expected.random()
    project.needs("random", lambda outcome: outcome.said("number") == [number, number])


@pytest.mark.parametrize("draws", [1, 100_000])
def test_an_unseeded_generator_differs(project: Project, draws: int) -> None:
    project.write("conftest.py", f"import random\nfor _ in range({draws}): random.random()\n")
    project.write("test_it.py", RANDOM)
    first, second = project.run().said("number")
    assert first != second


def test_the_generator_that_randomly_seeded_stays_seeded(project: Project) -> None:
    pytest.importorskip("pytest_randomly")
    project.write("test_it.py", RANDOM)
    project.workerinput["randomly_seed"] = 7
    project.needs(
        "random",
        lambda outcome: len(set(outcome.said("number"))) == 1,
        *("-p", "pytest_randomly", "--randomly-seed=7", "--randomly-dont-reset-seed"),
    )


NUMPY = """
import numpy, pytest
@pytest.mark.parametrize("n", range(2))
def test_it(n, record_property):
    record_property("number", float(numpy.random.rand()))
"""


@pytest.mark.parametrize("draws", ["numpy.random", "numpy.random.rand(100_000)"])
def test_an_unseeded_numpy_generator_differs(project: Project, draws: str) -> None:
    pytest.importorskip("numpy")
    project.write("conftest.py", f"import numpy\n{draws}\n")
    project.write("test_it.py", NUMPY)
    project.needs("numpy", lambda outcome: len(set(outcome.said("number"))) == 2)


def test_a_seeded_numpy_generator_stays_seeded(project: Project) -> None:
    numpy = pytest.importorskip("numpy")
    project.write("conftest.py", "import numpy\nnumpy.random.seed(42)\n")
    project.write("test_it.py", NUMPY)
    number = float(numpy.random.RandomState(42).rand())
    assert project.run().said("number") == [number, number]
