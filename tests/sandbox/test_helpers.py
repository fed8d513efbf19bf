"""Ports, slots, folders and variables that no other worker has, in no run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import ME, Lab, finish, open_folder
from outpace import leases


@pytest.fixture
def here() -> Iterator[Lab]:
    with open_folder() as folder:
        yield Lab(ME, folder)


# ---------------------------------------------------------------- ports


def test_a_lease_is_this_processs_until_it_is_released_or_the_process_ends() -> None:
    name = f"test-{os.getpid()}"
    code = f"from outpace import leases, wire; import sys; sys.exit(leases.take({name!r}) is None)"
    held = leases.take(name)
    assert held is not None and leases.take(name) is None
    assert subprocess.run([sys.executable, "-c", code]).returncode == 1
    held.close()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    again = leases.take(name)
    assert again is not None
    again.close()


def test_ports_are_free_and_not_those_that_the_kernel_hands_out() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    taken = [leases.port() for _ in range(50)]
    assert len({each.number for each in taken}) == 50
    for each in taken:
        if high - low < 40000:
            assert not low <= each.number <= high
        with socket.socket() as sock:
            sock.bind(("", each.number))
        each.release()


@pytest.mark.parametrize(("taken", "count"), [((32768, 60999), 17304), ((1024, 65535), 45536), ((20000, 60000), 5535)])
def test_candidates(taken: tuple[int, int], count: int) -> None:
    assert len(leases._outside(taken)) == count


def test_a_port_in_use_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as used, socket.socket() as other:
        used.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        numbers = [used.getsockname()[1], other.getsockname()[1]]
        other.close()
        monkeypatch.setattr(leases, "_candidates", lambda: numbers)
        lease = leases.port()
        assert lease.number == numbers[1]
        lease.release()
        monkeypatch.setattr(leases, "_candidates", lambda: numbers[:1])
        with pytest.raises(OSError, match="no free port"):
            leases.port()


SERVERS = """
    import socket, time
    import pytest

    @pytest.fixture(scope="session")
    def lasting(free_ports):
        ports = free_ports(3)
        assert len(set(ports)) == 3
        return ports

    @pytest.mark.parametrize("n", range(60))
    def test_it(n, free_port, lasting, record_property):
        record_property("port", free_port)
        with socket.socket() as server:
            server.bind(("127.0.0.1", free_port))       # without SO_REUSEADDR
            server.listen()
            time.sleep(0.01)
            assert free_port not in lasting
        for port in lasting:
            with socket.socket() as server:
                server.bind(("", port))
"""


def test_two_runs_at_once_share_no_port(here: Lab) -> None:
    here.write("test_a.py", SERVERS)
    runs = [here.start("-n3", "-p", "no:cacheprovider") for _ in range(2)]
    for run in map(finish, runs):
        assert (run.ret, run.counts) == (0, {"passed": 60}), run.out + run.err


@pytest.mark.parametrize("arguments", [("-n0",), ("-n2", "--start-method=spawn")])
def test_ports_without_forks(here: Lab, arguments: tuple[str, ...]) -> None:
    here.write("test_a.py", SERVERS)
    run = here.run(*arguments)
    assert (run.ret, run.counts) == (0, {"passed": 60}), run.out + run.err


def test_ports_in_a_network_of_the_workers_own(one_lab: Lab) -> None:
    one_lab.write("test_a.py", SERVERS)
    run = one_lab.run("-n2", "--isolate=all")
    assert (run.ret, run.counts) == (0, {"passed": 60}), run.out + run.err


# ---------------------------------------------------------------- slots and folders

SLOTS = """
    import os, pathlib, time
    import pytest

    @pytest.mark.parametrize("n", range(20))
    def test_it(n, worker_slot, worker_cache_dir, worker_tmp_path):
        assert worker_slot < 8
        mine = pathlib.Path({place!r}, f"slot-{{worker_slot}}")
        if n < 20:
            try:
                mine.touch(exist_ok=False)
                (worker_tmp_path / "mine").touch(exist_ok=False)
                (worker_cache_dir / "owner").write_text(str(os.getpid()))
            except FileExistsError:
                assert (worker_tmp_path / "mine").exists()
        assert (worker_cache_dir / "owner").read_text() == str(os.getpid())
        time.sleep(0.02)
"""


def test_two_runs_at_once_share_no_slot_and_no_folder(here: Lab, method: str) -> None:
    place = here.folder / "slots"
    place.mkdir()
    here.write("test_a.py", SLOTS.format(place=str(place)))
    runs = [here.start("-n3", f"--start-method={method}") for _ in range(2)]
    for run in map(finish, runs):
        assert (run.ret, run.counts) == (0, {"passed": 20}), run.out + run.err
    folders = {each.name for each in (here.path / ".pytest_cache/d").glob("outpace-worker-*")}
    assert folders == {f"outpace-worker-{each.name[5:]}" for each in place.iterdir()}


def test_slots_in_networks_of_the_workers_own(one_lab: Lab, method: str) -> None:
    one_lab.write(
        "test_a.py",
        """
        def test_it(worker_slot, tmp_path_factory):
            (tmp_path_factory.getbasetemp().parent / f"slot-{worker_slot}").touch(exist_ok=False)
        """,
    )
    run = one_lab.run("-n3", "--dist=each", "--isolate=all", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 3}), run.out + run.err


def test_folders_without_workers(here: Lab) -> None:
    here.write(
        "test_a.py",
        """
        def test_it(worker_slot, worker_cache_dir, worker_tmp_path):
            assert worker_cache_dir.is_dir() and worker_tmp_path.is_dir() and worker_slot >= 0
        """,
    )
    assert here.run("-n0").ret == 0
    assert here.run("-n0", "-p", "no:cacheprovider").ret == 0


# ---------------------------------------------------------------- variables

ENV = """
[tool.outpace.env]
DATABASE = "app_{worker}"
PLACE = "db{slot}"
RUN = "r-{run}"
SAME = "constant"
"""
LATE = """
    import os, re, pathlib
    import pytest

    @pytest.mark.parametrize("n", range(6))
    def test_it(n, worker_id, worker_slot, request):
        assert os.environ["DATABASE"] == f"app_{worker_id}"
        assert os.environ["PLACE"] == f"db{worker_slot}"
        assert os.environ["SAME"] == "constant"
        assert re.fullmatch("r-[0-9a-f]{12}", os.environ["RUN"])
        with open(request.config.rootpath / "runs", "a") as file:
            file.write(os.environ["RUN"] + "\\n")
"""


@pytest.mark.parametrize("arguments", [("-n0",), ("-n3",), ("-n3", "--start-method=spawn")])
def test_variables_that_are_read_in_tests(here: Lab, arguments: tuple[str, ...]) -> None:
    here.write("pyproject.toml", ENV)
    here.write("test_a.py", LATE)
    run = here.run(*arguments)
    assert (run.ret, run.counts) == (0, {"passed": 6}), run.out + run.err
    run.no_match("*workers are spawned*")
    assert len(set((here.path / "runs").read_text().split())) == 1


@pytest.mark.parametrize("variable", ["DATABASE", "PLACE"])
def test_a_variable_that_is_read_at_import_is_a_reason_to_spawn(here: Lab, variable: str) -> None:
    here.write("pyproject.toml", ENV)
    here.write("conftest.py", f"import os\n\nVALUE = os.environ['{variable}']\n")
    here.write(
        "test_a.py",
        f"""
        import os, pytest, conftest
        @pytest.mark.parametrize("n", range(6))
        def test_it(n, worker_id, worker_slot):
            assert conftest.VALUE == os.environ["{variable}"]
            assert conftest.VALUE == {{"DATABASE": f"app_{{worker_id}}", "PLACE": f"db{{worker_slot}}"}}["{variable}"]
        """,
    )
    run = here.run("-n2")
    assert (run.ret, run.counts) == (0, {"passed": 6}), run.out + run.err
    run.match(f"outpace: workers are spawned, not forked: conftest.py:3 read {variable} before the fork")
    assert here.run("-n0").ret == 0


def test_what_is_the_same_in_all_workers_is_no_reason(here: Lab) -> None:
    here.write("pyproject.toml", ENV)
    here.write("conftest.py", "import os\nVALUE = os.environ['SAME'], os.environ['RUN']\n")
    here.write("test_a.py", LATE)
    run = here.run("-n2")
    run.no_match("*workers are spawned*")
    assert (run.ret, run.counts) == (0, {"passed": 6}), run.out + run.err


def test_the_runs_id_is_that_of_xdist(here: Lab) -> None:
    here.write("pyproject.toml", ENV)
    here.write(
        "test_a.py", "import os\ndef test_it(testrun_uid): assert os.environ['RUN'] == 'r-' + testrun_uid[:12]\n"
    )
    assert here.run("-n2").ret == 0
    assert here.run("-n2", "--testrunuid=0123456789abcdef").ret == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A = 1", "variable `A` must be a string"),
        ('A = "{user}"', "variable `A`: unknown `{user}`; known are `{run}`, `{slot}`, `{worker}`"),
        ('"A=B" = "x"', "cannot be the name of an environment variable"),
    ],
)
def test_mistakes_are_told(here: Lab, line: str, message: str) -> None:
    here.write("pyproject.toml", f"[tool.outpace.env]\n{line}\n")
    here.write("test_a.py", "def test_it(): pass\n")
    for arguments in (("-n2",), ("-n0",)):
        run = here.run(*arguments)
        assert run.ret == 4 and message in run.err and "pyproject.toml:2: " in run.err, run.out + run.err
