"""The end of a worker does what the end of an interpreter does, and a project may rely on."""

from __future__ import annotations

import pytest
from conftest import Outcome, Project


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("join_threads", "threading.Thread(target=late).start()"),
        ("join_threads", "concurrent.futures.ThreadPoolExecutor().submit(late)"),
        ("run_exit_handlers", "atexit.register(write)"),
        ("run_exit_handlers", "weakref.finalize(write, write)"),
        ("run_exit_handlers", "buffered()"),
        ("flush", "sys.modules[__name__].FILE = open(NAME, 'w'); FILE.write('x')"),
    ],
    ids=["thread", "executor", "atexit", "finalizer", "logging", "open-file"],
)
def test_what_a_test_leaves_behind_is_completed(project: Project, row: str, code: str) -> None:
    """The template has used each of them before: what it registered must not hide what a worker registers."""
    name = project.folder / "written"
    project.write(
        "conftest.py",
        """
        import atexit, concurrent.futures, logging.handlers, multiprocessing.util, os, weakref
        class Owner: pass
        OWNER = Owner()
        weakref.finalize(OWNER, os.write, 2, b"finalizer of the template")
        FILE = open(os.devnull, "w")
        """,
    )
    project.write(
        "test_it.py",
        f"""
        import atexit, concurrent.futures, logging.handlers, sys, threading, time, weakref
        NAME = {str(name)!r}
        def write():
            with open(NAME, "w") as file:
                file.write("x")
        def late():
            time.sleep(0.2)
            write()
        def buffered():
            target = logging.FileHandler(NAME)
            handler = logging.handlers.MemoryHandler(100, target=target)
            logging.getLogger().addHandler(handler)
            logging.getLogger().warning("x")
        def test_it():
            {code}
        """,
    )

    def right(outcome: Outcome) -> bool:
        written = name.exists() and name.read_text().strip() == "x"
        name.exists() and name.unlink()
        return written and not outcome.failures and outcome.stderr.count("finalizer of the template") == 1

    project.needs(row, right, workers=1)


def test_a_buffer_filled_before_the_fork_is_written_once(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import os
        FILE = open("log.txt", "w")
        FILE.write("before\\n")
        class Kept: pass
        KEPT = Kept()
        KEPT.file = open("other.txt", "wb")
        KEPT.file.write(b"before\\n")
        """,
    )
    project.write(
        "test_it.py",
        """
        import conftest, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            conftest.FILE.write(f"in {n}\\n")
            conftest.KEPT.file.write(f"in {n}\\n".encode())
        """,
    )

    def right(outcome: Outcome) -> bool:
        texts = [(project.folder / name).read_text() for name in ("log.txt", "other.txt")]
        return all(sorted(text.split("\n")) == ["", "before", "in 0", "in 1"] for text in texts)

    project.needs("flush", right)


def test_an_exit_handler_that_fails_is_told_and_ends_nothing(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import atexit, os
        def fail(): raise ValueError("at exit")
        def test_it():
            atexit.register(os.write, 2, b"the other handler")
            atexit.register(fail)
        """,
    )
    outcome = project.run(workers=1)
    assert "ValueError: at exit" in outcome.stderr
    assert "the other handler" in outcome.stderr
    assert outcome.workers[0].each("workeroutput")
    assert outcome.template.one("exited")[1] == 0
