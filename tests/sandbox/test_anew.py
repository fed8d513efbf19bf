"""Suites whose import leaves what does not come along into a sandbox: threads, connections, child processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from lab import Lab, finish

THREAD = """
    import threading
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
SUITE = """
    import ctypes, os, socket, time
    import pytest

    {mark}
    @pytest.mark.parametrize("n", range(12))
    def test_port(n):
        with socket.socket() as server:
            server.bind(("127.0.0.1", {port}))
            server.listen()
            time.sleep(0.02)

    @pytest.mark.parametrize("n", range(12))
    def test_csv(n):
        os.makedirs("data", exist_ok=True)
        with open("data/out.csv", "w") as file:
            file.write(str(n))
        time.sleep(0.02)
        with open("data/out.csv") as file:
            assert file.read() == str(n)
        os.unlink("data/out.csv")

    @pytest.mark.parametrize("n", range(12))
    def test_tmp(n):
        with open("/tmp/outpace-sandbox-x", "x"):
            time.sleep(0.02)
        os.unlink("/tmp/outpace-sandbox-x")

    @pytest.mark.parametrize("n", range(12))
    def test_ipc(n):
        libc = ctypes.CDLL(None)
        number = libc.shmget({port}, 100, 0o3600)      # IPC_CREAT | IPC_EXCL
        assert number >= 0
        time.sleep(0.02)
        assert libc.shmctl(number, 0, None) == 0        # IPC_RMID

    @pytest.mark.skip
    def test_skipped(): pass

    def test_failed():
        assert os.path.exists("/nowhere")
"""
MARK = '@pytest.mark.isolate("ports")'
METHODS = (), ("--start-method=spawn",)


@pytest.fixture
def port() -> int:
    """One that is free on this machine: the process that only collects may bind it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        number: int = sock.getsockname()[1]
        return number


def outcomes(out: str) -> list[str]:
    words = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS")
    return sorted(line for line in out.splitlines() if line.startswith(words))


# What is asked for: by the settings, by a mark.
ASKED = {
    "settings": ("all", ""),
    "mark": ("", '@pytest.mark.isolate("all")'),
    "both": ("ports files", '@pytest.mark.isolate("tmp", "ipc")'),
    "nested": ("files tmp", '@pytest.mark.isolate("ports", "files", "ipc")'),
}


@pytest.mark.parametrize("started", METHODS, ids=["auto", "spawned"])
@pytest.mark.parametrize("asked", ASKED)
def test_a_thread_from_the_import(one_lab: Lab, port: int, asked: str, started: tuple[str, ...]) -> None:
    kinds, mark = ASKED[asked]
    one_lab.write("conftest.py", THREAD)
    one_lab.write("test_a.py", SUITE.format(mark=mark, port=port))
    if kinds:
        one_lab.settings(f"kinds = {kinds.split()}")
    run = one_lab.run("-n4", *started)
    assert (run.ret, run.counts) == (1, {"passed": 48, "skipped": 1, "failed": 1}), run.out + run.err
    assert not (one_lab.path / "data" / "out.csv").exists()


def test_the_outcomes_are_those_of_a_serial_run(lab: Lab, port: int) -> None:
    lab.write("conftest.py", THREAD)
    lab.write("test_a.py", SUITE.format(mark="", port=port))
    serial = lab.run("-n0", "-rA")
    assert serial.counts == {"passed": 48, "skipped": 1, "failed": 1}, serial.out
    assert lab.run("-n4").counts["failed"] > 1
    run = lab.run("-n4", "-rA", "--isolate=all")
    assert outcomes(run.out) == outcomes(serial.out), run.out + run.err


@pytest.mark.parametrize(
    ("mark", "started"),
    [("", ("--isolate=ports",)), ("", ("--isolate=ports", "--start-method=spawn")), (MARK, ())],
    ids=["auto", "spawned", "marked"],
)
def test_a_server_in_a_thread_is_each_workers_own(lab: Lab, port: int, mark: str, started: tuple[str, ...]) -> None:
    """With a mark alone: those that are started after the first collection know of it before they import anything."""
    lab.write(
        "conftest.py",
        f"""
        import os, socket, threading
        def serve(server):
            while True:
                with server.accept()[0] as connection:
                    connection.sendall(str(os.getpid()).encode())
        def pytest_configure(config):
            if hasattr(config, "workerinput"):
                server = socket.create_server(("127.0.0.1", {port}))
                threading.Thread(target=serve, args=(server,), daemon=True).start()
        """,
    )
    lab.write(
        "test_a.py",
        f"""
        import os, socket, time
        import pytest
        {mark}
        @pytest.mark.parametrize("n", range(20))
        def test_it(n):
            time.sleep(0.01)
            with socket.create_connection(("127.0.0.1", {port})) as connection:
                assert connection.recv(100).decode() == str(os.getpid())
        def test_crash():
            os.kill(os.getpid(), 9)
        """,
    )
    run = lab.run("-n3", *started)
    assert (run.ret, run.counts) == (1, {"passed": 20, "failed": 1}), run.out + run.err


def test_a_child_process_is_inside_and_ends(lab: Lab, port: int) -> None:
    """It is started again, and the first one is ended by who has started it."""
    lab.write(
        "conftest.py",
        f"""
        import subprocess, sys
        def pytest_configure(config):
            listen = "socket.create_server(('127.0.0.1', {port}))"
            code = f"import socket, time; server = {{listen}}; print(flush=True); time.sleep(1000)"
            if hasattr(config, "workerinput"):
                config.child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
                config.child.stdout.readline()
        def pytest_unconfigure(config):
            if hasattr(config, "workerinput"):
                config.child.kill()
                config.child.communicate()
        """,
    )
    lab.write(
        "test_a.py",
        f"""
        import socket
        import pytest
        @pytest.mark.parametrize("n", range(20))
        def test_it(n, request):
            assert request.config.child.poll() is None
            socket.create_connection(("127.0.0.1", {port})).close()
        """,
    )
    run = lab.run("-n1", "--isolate=ports")
    assert (run.ret, run.counts) == (0, {"passed": 20}), run.out + run.err
    assert lab.processes() == []


def test_the_session_outside_ends_in_order_and_tells_nothing_twice(lab: Lab) -> None:
    lab.write(
        "conftest.py",
        THREAD
        + """
    import atexit, os, warnings
    import pytest

    def note(word):
        with open("notes", "a") as file:
            file.write(f"{word} {os.getpid()}\\n")

    def pytest_configure(config):
        if hasattr(config, "workerinput"):
            note("configure")
            atexit.register(note, "exit")
    def pytest_sessionfinish(session):
        if hasattr(session.config, "workerinput"):
            note("finish")
            session.config.workeroutput["mine"] = "x"
    def pytest_unconfigure(config):
        if hasattr(config, "workerinput"):
            note("unconfigure")
    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(node, error):
        note(f"down {error} {node.workeroutput['mine']}")
    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(node):
        note("ready")
    """,
    )
    lab.write(
        "test_a.py",
        """
        import warnings
        import pytest
        warnings.warn("while it is imported")
        if True:
            def test_it():
                warnings.warn("while it runs")
        """,
    )
    lab.write("test_b.py", "import nothing_of_this_name\n")
    run = lab.run("-n1", "--isolate=ipc", "--continue-on-collection-errors", "--tb=line")
    assert run.counts == {"passed": 1, "error": 1, "warning": 2}, run.out + run.err
    notes = [line.rpartition(" ")[0] for line in (lab.path / "notes").read_text().splitlines()]
    once = ["finish", "unconfigure", "exit"]
    assert notes == ["configure", *once, "configure", "ready", *once, "down None x"], notes


def test_tests_that_are_others_inside_end_the_run(lab: Lab) -> None:
    lab.write("conftest.py", THREAD)
    lab.write(
        "test_a.py",
        """
        import os, pytest
        @pytest.mark.parametrize("network", [os.readlink("/proc/self/ns/net")])
        def test_that(network): pass
        """,
    )
    run = lab.run("-n1", "--isolate=ports")
    assert run.ret == 4 and "collected in a sandbox differ" in run.err, run.out + run.err
    assert "test_a.py::test_" in run.err and lab.processes() == []


def test_the_order_is_what_was_told(lab: Lab) -> None:
    lab.write(
        "conftest.py",
        THREAD
        + """
    import os
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: int(item.callspec.id) * (1 if os.path.exists("/tmp/" + os.environ["MARK"]) else -1))
    """,
    )
    lab.write("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): assert n != 4\n")
    mark = f"outpace-sandbox-{os.getpid()}"
    with open(f"/tmp/{mark}", "w"):
        try:
            run = lab.run("-n3", "--isolate=tmp", "-rA", env={"MARK": mark})
        finally:
            os.unlink(f"/tmp/{mark}")
    assert run.counts == {"passed": 8, "failed": 1}, run.out + run.err
    assert "FAILED test_a.py::test_it[4]" in run.out


def test_a_crash_and_tests_with_processes_of_their_own(lab: Lab, port: int) -> None:
    """Who has a thread may not fork for a test; who has been started in place of another is inside, too."""
    lab.write("conftest.py", THREAD)
    crash = "\n    def test_crash():\n        os.kill(os.getpid(), 9)\n"
    lab.write("test_a.py", SUITE.format(mark="", port=port) + crash)
    run = lab.run("-n3", "--isolate=all")
    assert run.counts == {"passed": 48, "skipped": 1, "failed": 2}, run.out + run.err
    run = lab.run("-n3", "--isolate=all", "--isolate-each")
    assert run.ret == 4 and "a thread is alive" in run.err, run.out + run.err


def test_a_read_of_the_workers_id_is_no_reason_to_collect_again(one_lab: Lab) -> None:
    one_lab.write(
        "conftest.py",
        """
        import os
        if "PYTEST_XDIST_WORKER" in os.environ:
            with open("notes", "a") as file:
                file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
        """,
    )
    one_lab.write("test_a.py", "def test_it(): pass\ndef test_b(): pass\n")
    run = one_lab.run("-n2", "--isolate=ports", "-v")
    assert (run.ret, run.counts) == (0, {"passed": 2}), run.out + run.err
    assert sorted((one_lab.path / "notes").read_text().split()) == ["gw0", "gw1"]


@contextlib.contextmanager
def outside() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("asked", ["settings", "mark"])
def test_what_is_exposed_is_reached(lab: Lab, asked: str) -> None:
    lab.write("conftest.py", THREAD)
    with outside() as port:
        lab.write(
            "test_a.py",
            f"""
            import socket, pytest
            @pytest.mark.isolate("ports")
            @pytest.mark.parametrize("n", range(12))
            def test_it(n):
                socket.create_connection(("127.0.0.1", {port})).close()
            """,
        )
        kinds = '["ports"]' if asked == "settings" else "[]"
        lab.settings(f'kinds = {kinds}\nexpose = ["127.0.0.1:{port}"]')
        run = lab.run("-n3")
    assert (run.ret, run.counts) == (0, {"passed": 12}), run.out + run.err


def test_live_output_is_shown(one_lab: Lab) -> None:
    one_lab.write("conftest.py", THREAD)
    one_lab.write("test_a.py", "def test_it(): print('told by the test')\n")
    run = one_lab.run("-n1", "--isolate=all", "-s")
    assert run.ret == 0 and run.out.count("told by the test") == 1, run.out + run.err


def test_interrupted_while_it_collects_again(lab: Lab) -> None:
    lab.write(
        "conftest.py",
        THREAD
        + """
    import os, time
    if "PYTEST_XDIST_WORKER" in os.environ:
        if os.path.exists("once"):
            open("twice", "w").close()
            time.sleep(1000)
        open("once", "w").close()
    """,
    )
    lab.write("test_a.py", "def test_it(): pass\n")
    process = lab.start("-n1", "--isolate=ports")
    with contextlib.suppress(Exception):
        while process.poll() is None and not (lab.path / "twice").exists():
            threading.Event().wait(0.02)
    process.send_signal(signal.SIGINT)
    run = finish(process)
    assert run.ret == 2, run.out + run.err
    assert lab.processes() == []
