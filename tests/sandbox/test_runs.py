"""Sandboxes in all kinds of runs: marks, crashes, retries, hangs, kills, refusals, runs without workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import lab as labs
import pytest
from lab import Lab, finish

PORTS = """
    import socket, time
    import pytest

    {mark}
    @pytest.mark.parametrize("n", range({count}))
    def test_it(n):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 8000))
            server.listen()
            time.sleep(0.01)
"""


# ---------------------------------------------------------------- the mark


def test_a_marked_test_gives_all_workers_what_it_asks_for(lab: Lab, method: str) -> None:
    lab.write("test_a.py", PORTS.format(mark='@pytest.mark.isolate("ports")', count=40))
    lab.write("test_b.py", "def test_it(): pass\n")
    run = lab.run("-n4", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 41}), run.out + run.err
    run.match("outpace: each worker has its own ports: tests are marked so")
    assert run.out.count("tests are marked so") == 1


def test_the_mark_adds_to_the_settings(lab: Lab, method: str) -> None:
    lab.write("test_a.py", PORTS.format(mark='@pytest.mark.isolate("ports")', count=8))
    lab.write("test_b.py", "import os\ndef test_it():\n    open('/tmp/outpace-sandbox-x', 'x')\n    open('out', 'x')\n")
    lab.settings('kinds = ["tmp", "files"]')
    run = lab.run("-n2", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 9}), run.out + run.err
    run.match("*each with its own tmp, files", "outpace: each worker has its own ports: tests are marked so")
    run.match("  out: test_b.py::test_it*")
    assert not os.path.exists("/tmp/outpace-sandbox-x") and not (lab.path / "out").exists()


def test_none_is_none(one_lab: Lab) -> None:
    network = os.readlink("/proc/self/ns/net")
    one_lab.write(
        "test_a.py",
        f"""
        import os, pytest
        @pytest.mark.isolate("ports")
        def test_shares(): assert os.readlink("/proc/self/ns/net") == {network!r}
        """,
    )
    run = one_lab.run("-n1", "--isolate=none")
    run.no_match("*own ports*")
    assert run.ret == 0


def test_a_mark_that_is_not_run_asks_for_nothing(one_lab: Lab) -> None:
    one_lab.write("test_a.py", PORTS.format(mark='@pytest.mark.isolate("ports")', count=2))
    one_lab.write("test_b.py", "import os\ndef test_it(): assert os.path.exists('/sys/class/net')\n")
    run = one_lab.run("-n2", "-k", "test_b")
    run.no_match("*own ports*")


@pytest.mark.parametrize("mark", ["isolate", 'isolate("port")', 'isolate(kinds="ports")'])
def test_a_wrong_mark_ends_the_run_with_its_place(one_lab: Lab, mark: str) -> None:
    one_lab.write("test_a.py", f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pass\n")
    run = one_lab.run("-n2")
    assert run.ret == 4, run.out + run.err
    assert "test_a.py::test_it (test_a.py:2): @pytest.mark.isolate:" in run.err, run.err


@pytest.mark.parametrize("each", [(), ("--isolate-each",)], ids=["marked", "each"])
def test_tests_with_processes_of_their_own_are_in_the_workers_sandbox(
    lab: Lab, method: str, each: tuple[str, ...]
) -> None:
    mark = "" if each else "@pytest.mark.own_process"
    lab.write(
        "test_a.py",
        PORTS.format(mark=mark, count=12)
        + """
    def test_files():
        open("out.csv", "x").close()
        open("/tmp/outpace-sandbox-own", "x").close()
    """,
    )
    run = lab.run("-n3", "--isolate=all", "--start-method", method, *each)
    assert (run.ret, run.counts) == (0, {"passed": 13}), run.out + run.err
    run.match("  out.csv: test_a.py::test_files*")
    assert not (lab.path / "out.csv").exists() and not os.path.exists("/tmp/outpace-sandbox-own")


# ---------------------------------------------------------------- runs that do not go well


def test_a_worker_that_crashed_is_followed_by_one_in_a_sandbox(lab: Lab, method: str) -> None:
    lab.write(
        "test_a.py",
        PORTS.format(mark="", count=20)
        + """
    def test_crash():
        import os
        os.kill(os.getpid(), 9)
    """,
    )
    run = lab.run("-n3", "--isolate=all", "--start-method", method)
    assert (run.ret, run.counts) == (1, {"passed": 20, "failed": 1}), run.out + run.err


def test_a_retry_is_in_a_sandbox(one_lab: Lab) -> None:
    one_lab.write(
        "test_a.py",
        """
        import os
        def test_it():
            with open("count", "a") as file:
                file.write("x")
            assert os.path.getsize("count") == 1
            assert os.environ["PYTEST_XDIST_WORKER"] != "gw0"
        """,
    )
    run = one_lab.run("-n1", "--isolate=files", "--retry=1")
    run.match("outpace: written in the project*", "  count: test_a.py::test_it (gw0) and 1 more test")
    assert not (one_lab.path / "count").exists()


def test_a_hang_is_told_with_its_stack(lab: Lab, method: str) -> None:
    lab.write(
        "test_a.py",
        """
        import ctypes, subprocess
        def test_python():
            import time
            time.sleep(1000)
        def test_c():
            while True:
                ctypes.CDLL(None).sleep(1000)       # returns when a signal comes
        def test_child():
            subprocess.run(["sleep", "1000"])
        """,
    )
    run = lab.run("-n3", "--isolate=all", "--test-timeout=1", "--timeout-grace=1", "--start-method", method)
    assert run.ret == 1 and run.counts["failed"] == 3, run.out + run.err
    for name in ("test_python", "test_c", "test_child"):
        assert f"in {name}" in run.out, run.out


def test_interrupted(one_lab: Lab) -> None:
    one_lab.write("test_a.py", PORTS.format(mark="", count=2000))
    process = one_lab.start("-n3", "--isolate=all")
    _wait_for_tests(one_lab)
    process.send_signal(signal.SIGINT)
    run = finish(process)
    assert run.ret == 2, run.out + run.err
    _nothing_is_left(one_lab)


@pytest.mark.parametrize("who", ["controller", "coordinator", "template", "worker"])
def test_killed_in_the_middle(lab: Lab, who: str) -> None:
    lab.write(
        "test_a.py",
        """
        import os, subprocess, time
        import pytest
        @pytest.mark.parametrize("n", range(200))
        def test_it(n):
            open(f"out{n}", "w").close()
            open(f"/tmp/outpace-sandbox-left", "w").close()
            if n % 20 == 0:
                # Nobody is left to find a session of its own once the coordinator is gone.
                subprocess.Popen(["sleep", "1000"], start_new_session=os.environ["WHO"] != "coordinator")
            time.sleep(0.02)
        """,
    )
    process = lab.start("-n3", "--isolate=all", "-v", env={"WHO": who})
    _wait_for_tests(lab)
    os.kill(_process(lab, process.pid, who), signal.SIGKILL)
    finish(process)
    _nothing_is_left(lab)


def _wait_for_tests(lab: Lab) -> None:
    """Until a worker has namespaces of its own."""
    until = time.monotonic() + labs.LIMIT
    ours = os.readlink("/proc/self/ns/mnt")
    while time.monotonic() < until:
        for pid in lab.processes():
            try:
                if os.readlink(f"/proc/{pid}/ns/mnt") != ours:
                    time.sleep(0.2)
                    return
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError("no worker entered a sandbox")


def _process(lab: Lab, controller: int, who: str) -> int:
    parents = {}
    for pid in lab.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        parents[pid] = int(fields[1])
    coordinator = next(pid for pid, parent in parents.items() if parent == controller)
    template = next(pid for pid, parent in parents.items() if parent == coordinator)
    worker = next(pid for pid, parent in parents.items() if parent == template)
    return {"controller": controller, "coordinator": coordinator, "template": template, "worker": worker}[who]


def _nothing_is_left(lab: Lab) -> None:
    until = time.monotonic() + labs.LIMIT
    while lab.processes():
        assert time.monotonic() < until, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in lab.processes()]
        time.sleep(0.01)
    assert str(lab.folder) not in Path("/proc/self/mountinfo").read_text()
    assert not list(lab.path.glob("out*")) and not os.path.exists("/tmp/outpace-sandbox-left")


# ---------------------------------------------------------------- where it cannot be


def _cannot() -> tuple[str, ...]:
    """Root without any capability: it may not even map itself."""
    if os.getuid() != 0 or not (setpriv := labs.shutil.which("setpriv")):
        pytest.skip("needs root, to give up what root may")
    return (setpriv, "--inh-caps=-all", "--bounding-set=-all")


@pytest.fixture
def refused() -> object:
    prefix = _cannot()
    with labs.open_folder() as folder:
        made = Lab(labs.ME, folder)
        made.user = labs.User("bare root", (), labs.ME.python)
        command = made.start

        def start(*args: str, env: object = None) -> subprocess.Popen[str]:
            return subprocess.Popen(
                [*prefix, made.user.python, "-m", "pytest", *args],
                cwd=made.path,
                env=made.user.environ(folder),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

        assert command
        made.start = start  # type: ignore[method-assign,assignment]
        yield made


def test_the_run_ends_where_the_kernel_refuses(refused: Lab, method: str) -> None:
    refused.write("test_a.py", "def test_it(): pass\n")
    run = refused.run("-n2", "--isolate=ports", "--start-method", method)
    assert run.ret == 4, run.out + run.err
    assert run.err.count("ERROR: outpace: --isolate=ports: this system does not let processes have") == 1, run.err
    assert "--isolate-missing=ignore" in run.err
    run.no_match("*Not properly terminated*")


def test_or_goes_on_without(refused: Lab, method: str) -> None:
    refused.write("test_a.py", "import pytest\n@pytest.mark.isolate('ipc')\ndef test_it(): pass\ndef test_b(): pass\n")
    run = refused.run("-n2", "--isolate=ports", "--isolate-missing=ignore", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 2}), run.out + run.err
    run.match("outpace: workers do not have their own ports*: --isolate=ports*this system does not let*")


def test_what_can_be_is_done_where_the_rest_is_ignored(one_lab: Lab) -> None:
    """The project lies in `/tmp` itself: its folders cannot be the worker's own, the ports can."""
    one_lab.write("test_a.py", PORTS.format(mark="", count=10))
    one_lab.settings('kinds = ["ports", "tmp"]')
    env = {"PYTHONPATH": os.pathsep.join((*one_lab.user.paths, "/tmp"))}
    run = one_lab.run("-n2", env=env)
    assert run.ret == 4 and "the tests, or what they import, are in /tmp itself" in run.err, run.out + run.err
    run = one_lab.run("-n2", "--isolate-missing=ignore", env=env)
    assert (run.ret, run.counts) == (0, {"passed": 10}), run.out + run.err
    run.match("outpace: workers do not have their own tmp: --isolate=ports,tmp: the tests, or what they import*")


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("arguments", [("-n0",), (), ("--tx", "popen//env:A=b", "--dist=load")])
def test_without_workers_of_ours_it_is_said_that_nothing_is_isolated(one_lab: Lab, arguments: tuple[str, ...]) -> None:
    one_lab.write("test_a.py", "import pytest\n@pytest.mark.isolate('ports')\ndef test_it(): pass\n")
    run = one_lab.run("--isolate=ports", "--strict-markers", *arguments, str(one_lab.path))
    assert (run.ret, run.counts) == (0, {"passed": 1}), run.out + run.err
    run.match("outpace: not isolated (ports): *")


def test_the_command_line_comes_before_the_table(one_lab: Lab) -> None:
    one_lab.write("test_a.py", "def test_it(): pass\n")
    one_lab.settings('kinds = ["ports", "ipc"]')
    one_lab.run("-n1", "--isolate=ipc, tmp").match("*each with its own tmp, ipc")
    one_lab.run("-n1", "--isolate=none").no_match("*its own*")
    run = one_lab.run("-n1", "--isolate=nets")
    assert run.ret == 4 and "--isolate=nets: 'nets' is not one of ports, tmp, files, ipc" in run.err, run.err
