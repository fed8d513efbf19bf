"""Workers that live and misbehave: with descriptors, output, garbage, children, memory, locks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from .arena import Arena

AMONG = """
    import pytest
    @pytest.mark.parametrize("i", range(10))
    def test_before(i): pass
    {test}
    @pytest.mark.parametrize("i", range(10))
    def test_after(i): pass
"""
AROUND = [f"test_a.py::test_{when}[{i}]" for when in ("before", "after") for i in range(10)]
METHODS = pytest.mark.parametrize("method", ["fork", "spawn"])


def write(arena: Arena, test: str) -> None:
    lines = test.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    arena.write("test_a.py", AMONG.format(test="\n    ".join(line[margin:] for line in lines)))


def assert_around_passed(outcomes: dict[str, str]) -> None:
    assert {nodeid: outcomes.get(nodeid) for nodeid in AROUND} == dict.fromkeys(AROUND, "passed")


def calls(reports: list[dict[str, str]]) -> dict[str, str]:
    return {report["nodeid"]: report["outcome"] for report in reports if report["when"] in ("call", "???")}


@pytest.mark.parametrize("first", [0, 3])
@METHODS
def test_closes_every_descriptor(arena: Arena, method: str, first: int) -> None:
    """Nobody can hear it any more: it counts as crashed in this test, and goes."""
    write(
        arena,
        f"""
        def test_bad():
            import os, time
            os.closerange({first}, 4096)
            time.sleep(60)
        """,
    )
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_bad"], run.output
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    assert_around_passed(calls(run.reports))
    assert "closed its connection" in run.crash_texts["test_a.py::test_bad"]
    run.assert_clean()


@METHODS
def test_writes_garbage_to_every_descriptor(arena: Arena, method: str) -> None:
    write(
        arena,
        """
        def test_bad():
            import os, time
            for fd in map(int, os.listdir("/proc/self/fd")):
                try: os.write(fd, b"garbage" * 100)
                except OSError: pass
            time.sleep(60)
        """,
    )
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_bad"], run.output
    assert "call: sent bytes that are not outpace's protocol" in run.crash_texts["test_a.py::test_bad"]
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    assert_around_passed(calls(run.reports))
    run.assert_clean()


FIND_SOCKET = """
            import os, stat, struct, time
            fds = [fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")]
            for fd in [fd for fd in fds if stat.S_ISSOCK(os.fstat(fd).st_mode)]:
"""


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ('struct.pack("<I2sBB", 4, b"OP", 99, 66) + b"1234"', "version"),
        ('struct.pack("<I2sBB", 4, b"OP", 1, 250) + b"1234"', ""),
        ('struct.pack("<I2sBB", 2**31, b"OP", 1, 67)', ""),
        ('struct.pack("<I2sBB", 5, b"OP", 1, 67) + b"12345"', ""),
    ],
    ids=["version", "kind", "too-long", "malformed"],
)
def test_foreign_frame(arena: Arena, frame: str, said: str) -> None:
    """A frame that no worker would send costs the worker and the test, not the run."""
    write(arena, f"\n        def test_bad():{FIND_SOCKET}                os.write(fd, {frame})\n")
    run = arena.run("-n2")
    assert run.code == 1, run.output
    assert len(run.crashed) == 1, run.output
    (text,) = run.crash_texts.values()
    assert "not outpace's protocol" in text and said in text, text
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    run.assert_clean()


def test_beginning_of_a_frame(arena: Arena) -> None:
    """It hides what the worker says after it on its socket; the run ends well all the same, or tells of a crash."""
    frame = 'struct.pack("<I2sBB", 10**6, b"OP", 1, 67) + b"the beginning"'
    write(arena, f"\n        def test_bad():{FIND_SOCKET}                os.write(fd, {frame})\n")
    run = arena.run("-n2")
    assert run.code == bool(run.crashed), run.output
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    assert not run.not_run
    run.assert_clean()


def test_floods_its_output(arena: Arena) -> None:
    """50 MB to each stream, by Python and past it."""
    write(
        arena,
        """
        def test_bad():
            import os, sys
            for _ in range(25):
                sys.stdout.write("o" * 1_000_000); sys.stderr.write("e" * 1_000_000)
                os.write(1, b"O" * 1_000_000); os.write(2, b"E" * 1_000_000)
            assert 0
        """,
    )
    run = arena.run("-n2", "--show-capture=no", "-rN")
    assert run.code == 1, run.output[-2000:]
    sections = {name: text for r in run.reports if r["outcome"] == "failed" for name, text in r["sections"]}
    assert {name: (len(text), text.count("o") + text.count("e")) for name, text in sections.items()} == {
        "Captured stdout call": (50_000_000, 25_000_000),
        "Captured stderr call": (50_000_000, 25_000_000),
    }
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    assert_around_passed(calls(run.reports))
    run.assert_clean()


ORPHANS = """
    def test_bad():
        import os, subprocess, sys, time
        sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
        subprocess.Popen(sleeps)
        subprocess.Popen(sleeps, start_new_session=True)
        if os.fork() == 0:
            time.sleep(60)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        {end}
"""


@pytest.mark.parametrize("end", ["pass", "os._exit(3)"])
@METHODS
def test_leaves_children_behind(arena: Arena, method: str, end: str) -> None:
    """Children, forks that hold the worker's own descriptors, daemons: gone with the run."""
    write(arena, ORPHANS.format(end=end))
    began = time.monotonic()
    run = arena.run("-n2", f"--start-method={method}")
    assert time.monotonic() - began < 25
    crashed = ["test_a.py::test_bad"] if "exit" in end else []
    assert (run.code, list(run.crashed)) == (len(crashed), crashed), run.output
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    assert_around_passed(calls(run.reports))
    run.assert_clean()


def test_out_of_memory_in_python(arena: Arena) -> None:
    """An allocation that fails is a failure of the test and of nothing else."""
    write(
        arena,
        """
        def test_bad():
            import resource
            before = resource.getrlimit(resource.RLIMIT_AS)
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, before[1]))
            try: bytearray(100_000_000)
            finally: resource.setrlimit(resource.RLIMIT_AS, before)
        """,
    )
    run = arena.run("-n2")
    assert run.code == 1, run.output
    assert not run.crashed and calls(run.reports)["test_a.py::test_bad"] == "failed"
    run.assert_says("MemoryError")
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    run.assert_clean()


def test_killed_by_the_memory_limit(arena: Arena) -> None:
    """The kernel's memory killer takes one worker of a limited group."""
    group = Path("/sys/fs/cgroup/memory") / f"outpace-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(300_000_000))
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")
    write(
        arena,
        """
        def test_bad():
            hoard = []
            while True: hoard.append(bytearray(b"x") * 10_000_000)
        """,
    )
    try:
        run = arena.run("-n2", prepare=lambda: (group / "cgroup.procs").write_text("0") and None)
    finally:
        group.rmdir()
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_bad"], run.output
    assert "signal 9 (SIGKILL)" in run.crash_texts["test_a.py::test_bad"]
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    run.assert_clean()


def test_exits_in_odd_ways(arena: Arena) -> None:
    """`sys.exit` in a thread, in a test, in a child that goes on as a worker would: failures at most, no crash."""
    write(
        arena,
        """
        def test_bad():
            import os, sys, threading
            thread = threading.Thread(target=sys.exit, args=(4,)); thread.start(); thread.join()
            pid = os.fork()
            if pid == 0: os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            sys.exit(5)
        """,
    )
    run = arena.run("-n2")
    assert run.code == 1, run.output
    assert not run.crashed and calls(run.reports)["test_a.py::test_bad"] == "failed"
    run.assert_says("SystemExit: 5")
    run.assert_accounted([*AROUND, "test_a.py::test_bad"])
    run.assert_clean()


def test_dies_by_a_thread_of_another_test(arena: Arena) -> None:
    """The test that runs at that moment is the one that is told, since no other is known."""
    arena.write(
        "test_a.py",
        """
        import os, threading, time
        def test_bad(): threading.Timer(0.3, os._exit, (6,)).start()
        def test_later(): time.sleep(60)
        """,
    )
    run = arena.run("-n2", "--dist=loadfile")
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_later"], run.output
    assert "call: exit code 6" in run.crash_texts["test_a.py::test_later"]
    run.assert_accounted(["test_a.py::test_bad", "test_a.py::test_later"])
    run.assert_clean()
