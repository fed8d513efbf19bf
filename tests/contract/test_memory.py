"""What a run uses, what it may use, and what happens when there is not enough."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import ENGINE, START_METHOD, Project

pytestmark = [
    pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own"),
    pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="without /proc nothing can be read"),
]
not_spawned = pytest.mark.skipif(START_METHOD == "spawn", reason="about what forks share")

# Each test notes when it began and ended, and where; some keep memory.
HUNGRY = """
    import os, time, pytest
    kept = []
    @pytest.mark.parametrize("n", range(24))
    def test_grow(n):
        begun = time.monotonic()
        if n % 4 == 1:
            kept.append(b"x" * 40_000_000)
        time.sleep(0.15)
        with open("times.txt", "a") as file:
            file.write(f"{begun} {time.monotonic()} {os.environ.get('PYTEST_XDIST_WORKER')}\\n")
"""


def times(project: Project) -> list[tuple[float, float, str]]:
    lines = (project.path / "times.txt").read_text().splitlines()
    return sorted((float(begun), float(ended), worker) for begun, ended, worker in map(str.split, lines))


def numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found, text
    return [int(group) for group in found.groups()]


@not_spawned
def test_the_summary_names_workers_tests_and_what_was_shared(project: Project) -> None:
    project.files(
        conftest="ballast = b'x' * 100_000_000",
        test_a="""
            kept = []
            def test_keeps(): kept.append(b"x" * 70_000_000)
            def test_peaks(): b"x" * 200_000_000
            def test_small(): pass
        """,
    )
    run = project.run("-n2", "--memory", "--dist=loadfile")
    assert run.ret == 0, run.out
    section = run.out[run.out.index("= memory =") :]
    assert re.search(r"\+(69|70|71) MB test_a\.py::test_keeps\n", section)
    assert re.search(r"\+\d MB test_a\.py::test_peaks \(\+(19\d|20\d) MB while it ran\)", section)
    assert "test_small" not in section
    resident, own = numbers(r"gw0: (\d+) MB at its peak, (\d+) MB of it its own", section)
    assert own >= 70
    assert resident - own >= 90, "the ballast is shared"
    together, unshared = numbers(r"together: (\d+) MB.*nothing, (\d+) MB", section)
    assert unshared >= together + 100


def test_nothing_is_said_unasked(project: Project) -> None:
    project.files(test_a="def test_a(): pass")
    run = project.run("-n1")
    assert run.ret == 0
    assert "memory" not in run.out


@pytest.mark.parametrize("workers", ["-n1", "-n2", "-nauto"])
def test_a_worker_that_grew_too_much_makes_room_between_two_tests(project: Project, workers: str) -> None:
    project.files(test_a=HUNGRY)
    run = project.run(workers, "--memory-limit=200MB", "--max-workers=3")
    assert run.ret == 0, run.out
    assert run.counts["passed"] == 24
    assert re.search(r"outpace: gw\d ended with \d+ MB of its own, to make room", run.out), run.out
    assert re.search(r"it grew most in .*test_a\.py::test_grow\[\d*[13579]\]", run.out), run.out
    noted = times(project)
    assert len(noted) == 24
    assert len({worker for _, _, worker in noted}) > {"-n1": 1, "-n2": 2, "-nauto": 1}[workers]
    if workers == "-n1":
        assert all(ended <= begun for (_, ended, _), (begun, _, _) in zip(noted, noted[1:])), "never two at once"


@not_spawned
def test_no_worker_is_added_that_memory_does_not_allow(project: Project) -> None:
    project.files(
        test_a="""
            import time, pytest
            @pytest.mark.parametrize("n", range(40))
            def test_wait(n): time.sleep(0.2)
        """
    )
    held = project.run("-nauto", "--max-workers=8", "--memory-limit=10MB")
    assert held.ret == 0, held.out
    assert "workers while tests waited" not in held.out, held.out
    for _ in range(5):
        grown = project.run("-nauto", "--max-workers=8")
        assert grown.ret == 0, grown.out
        if "workers while tests waited" in grown.out:
            return
    pytest.skip("this machine has no idle CPU: nothing grows here, with or without a limit")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("lots", "'lots' is not an amount: a number from 1 on, or a size such as"),
        ("0", "0 is not an amount"),
        ("101%", "'101%' is not a percentage from 1% to 100%"),
        ("%", "'%' is not a percentage"),
    ],
)
def test_a_limit_that_is_none_is_refused(project: Project, given: str, message: str) -> None:
    project.files(test_a="def test_a(): pass")
    run = project.run("-n1", f"--memory-limit={given}")
    assert run.ret == 4
    assert message in run.err
    (project.path / "pytest.ini").write_text(f"[pytest]\noutpace_memory_limit = {given}\n")
    run = project.run("-n1")
    assert run.ret == 4
    assert "outpace_memory_limit in " in run.err
    assert message in run.err


def test_a_share_of_the_memory_in_the_ini(project: Project) -> None:
    project.files(test_a="def test_a(): pass")
    (project.path / "pytest.ini").write_text("[pytest]\noutpace_memory_limit = 50%\n")
    run = project.run("-n1", "--memory")
    assert run.ret == 0, run.out
    assert re.search(r"limit \d+\.\d+ GB|limit \d+ MB", run.out), run.out


# ---------------------------------------------------------------- the kernel's memory killer


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 160 MB, made where this user may."""
    own = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own[controllers] = path.strip("/")
    name = f"outpace-{uuid.uuid4().hex}"
    if "memory" in own:
        folder, limit = Path("/sys/fs/cgroup/memory") / own["memory"] / name, "memory.limit_in_bytes"
    else:
        folder, limit = Path("/sys/fs/cgroup") / own.get("", "") / name, "memory.max"
    try:
        if not folder.parent.is_dir():
            folder = Path("/sys/fs/cgroup/memory") / name
        folder.mkdir()
        (folder / limit).write_text(str(160_000_000))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    folder.rmdir()


def test_a_kill_for_memory_is_named_as_one(project: Project, small_group: Path) -> None:
    project.files(
        test_a="""
            import time
            def test_before(): pass
            def test_grows():
                kept = []
                while True:
                    kept.append(b"x" * 1_000_000)
                    time.sleep(0.001)
            def test_after(): pass
        """
    )
    command = [sys.executable, "-m", "pytest", "-n2", "-p", "no:cacheprovider", "--memory-limit=150MB"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OUTPACE_"))}
    run = subprocess.run(
        ["sh", "-c", f'echo $$ > "{small_group}/cgroup.procs" && exec "$@"', "sh", *command],
        cwd=project.path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "crashed while running 'test_a.py::test_grows'\ncall: signal 9 (SIGKILL): the kernel ended it" in run.stdout
    assert "because memory ran out; it was last seen with" in run.stdout
    assert "1 failed, 2 passed" in run.stdout


def test_any_other_kill_is_not(project: Project) -> None:
    project.files(test_a="import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGKILL)")
    run = project.run("-n1")
    assert run.ret == 1
    assert "signal 9 (SIGKILL)" in run.out
    assert "memory ran out" not in run.out
