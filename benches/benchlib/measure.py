"""Run one command and measure it: wall and CPU time, memory, the first test, the outcome.

CPU time is that of the whole tree: while the command runs, this process is the reaper of every orphan below it, and
``wait4`` gives for each process it waits for the time of that process and of all that it waited for itself. The one
thing that this misses is a child of a process that ignores SIGCHLD; a sampled run adds up ``/proc`` as well and says
so (`lost_cpu`). What the command leaves running is counted, then killed.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchlib.processes import all_processes, descendants
from benchlib.sampler import ProgramUse, Sampler

PR_SET_CHILD_SUBREAPER = 36
GRACE = 2.0
DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
PASSED = re.compile(rb"(\d+) passed")


@dataclass(frozen=True)
class Sample:
    """One run.

    `proved` is false when the output lacks the line by which the runner is known. Memory and programs are filled, and
    `wall`, `cpu` and `first_test` disturbed, when the run was sampled.
    """

    wall: float
    cpu: float
    first_test: float | None
    exit_code: int
    passed: int | None
    left_behind: int
    proved: bool = True
    timed_out: bool = False
    peak_pss: int | None = None
    peak_count: int | None = None
    lost_cpu: float = 0.0
    programs: Mapping[str, ProgramUse] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out and self.proved


@contextmanager
def reaping() -> Iterator[None]:
    """Make this process the parent of every orphan below it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def switch(on: int) -> None:
        if libc.prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot become a subreaper")

    switch(1)
    try:
        yield
    finally:
        switch(0)


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what changes how tests run; with PYTHONDONTWRITEBYTECODE every run would
    rewrite all assertions, and that would be what is measured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(("PYTEST_XDIST", "OUTPACE_", "RSTEST_", "COV_"))
    }
    return {**kept, **extra}


def passed_tests(output: bytes) -> int | None:
    """The number in the last ``N passed`` of a runner's output."""
    found = PASSED.findall(output)
    return int(found[-1]) if found else None


def run(
    command: Sequence[str],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    proof: str = "",
    sampled: bool = False,
    timeout: float = 600.0,
) -> Sample:
    sampler = Sampler() if sampled else None
    with tempfile.TemporaryDirectory() as scratch, reaping():
        first_test, log = Path(scratch, "first-test"), Path(scratch, "output")
        with log.open("wb") as output:
            started_at, started = time.time(), time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment({**(env or {}), "BENCH_FIRST_TEST": str(first_test)}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                timed_out = not _watch(process.pid, started + timeout, sampler)
            except BaseException:
                _reap_orphans(0.0)
                raise
            if timed_out:
                os.kill(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        left_behind, orphans = _reap_orphans(0.0 if timed_out else GRACE)
        cpu = _seconds(usage) + orphans
        text = log.read_bytes()
        seen = sampler.finish() if sampler else 0.0
        return Sample(
            wall=wall,
            cpu=cpu,
            first_test=float(first_test.read_text()) - started_at if first_test.exists() else None,
            exit_code=process.returncode,
            passed=passed_tests(text),
            left_behind=left_behind,
            proved=re.search(proof.encode(), text, re.MULTILINE) is not None,
            timed_out=timed_out,
            peak_pss=sampler.peak_pss if sampler else None,
            peak_count=sampler.peak_count if sampler else None,
            lost_cpu=max(0.0, seen - cpu),
            programs=sampler.programs if sampler else {},
        )


def _seconds(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _watch(pid: int, deadline: float, sampler: Sampler | None) -> bool:
    """Wait until the process ends, without reaping it; False when the deadline came first."""
    watched = os.pidfd_open(pid)
    try:
        while (left := deadline - time.perf_counter()) > 0:
            pause = min(left, sampler.sample()) if sampler else left
            if select.select([watched], [], [], pause)[0]:
                return True
        return False
    finally:
        os.close(watched)


def _reap_orphans(grace: float) -> tuple[int, float]:
    """Wait for what is left of the tree and kill it when the grace is over; return how many, and all their CPU time."""
    cpu = 0.0
    killed: set[int] = set()
    deadline = time.perf_counter() + grace
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return len(killed), cpu
        if pid:
            cpu += _seconds(usage)
            continue
        if time.perf_counter() >= deadline:
            for process in descendants(all_processes(), os.getpid()):
                if process.state != "Z":
                    killed.add(process.pid)
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.005)
