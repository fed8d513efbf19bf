"""Each kind: a suite that fails side by side, and passes with one setting, unchanged."""

from __future__ import annotations

import os
import subprocess

import pytest
from lab import Lab

ACCEPTANCE = """
    import os, socket, time
    import pytest

    @pytest.mark.parametrize("n", range(200))
    def test_it(n, tmp_path):
        if n % 2:
            with socket.socket() as server:
                server.bind(("127.0.0.1", 8000))
                server.listen()
                time.sleep(0.002)
                socket.create_connection(("127.0.0.1", 8000)).close()
        else:
            with open("data/out.csv", "w") as file:
                file.write(str(n))
                file.flush()
                time.sleep(0.002)
            assert open("data/out.csv").read() == str(n)
        (tmp_path / "kept").write_text(str(n))
"""


def test_ports_and_files_of_200_tests(lab: Lab, method: str) -> None:
    lab.write("test_a.py", ACCEPTANCE)
    lab.write("data/out.csv", "real")
    plain = lab.run("-n4")
    assert plain.ret == 1 and plain.counts["failed"] > 20, plain.out + plain.err
    (lab.path / "data/out.csv").write_text("real")
    lab.settings('kinds = ["ports", "files"]')
    for _ in range(3):
        run = lab.run("-n4", "--start-method", method)
        assert (run.ret, run.counts) == (0, {"passed": 200}), run.out + run.err
        run.match("outpace *, each with its own ports, files", "outpace: written in the project*thrown away: 1 path")
        assert (lab.path / "data/out.csv").read_text() == "real"


def test_every_address_is_the_workers_own(lab: Lab) -> None:
    lab.write(
        "test_a.py",
        """
        import os, socket, time
        import pytest

        @pytest.mark.parametrize("n", range(12))
        @pytest.mark.parametrize("family, address", [(2, "127.0.0.1"), (2, "0.0.0.0"), (10, "::1"), (10, "::")])
        def test_it(n, family, address):
            if family == 10 and not os.path.exists("/proc/net/if_inet6"):
                pytest.skip("no IPv6")
            with socket.socket(family) as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((address, 8000))
                server.listen()
                to = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
                with socket.create_connection((to, 8000)) as client:
                    client.sendall(str(os.getpid()).encode())
                    peer, _ = server.accept()
                    assert peer.recv(100) == str(os.getpid()).encode()
                    peer.close()
                time.sleep(0.01)
        """,
    )
    assert lab.run("-n4").counts["failed"]
    run = lab.run("-n4", "--isolate=ports")
    assert "failed" not in run.counts and run.ret == 0, run.out


def test_temporary_folders(lab: Lab, method: str) -> None:
    lab.write(
        "test_a.py",
        """
        import os, pathlib, socket, tempfile, time
        import pytest

        @pytest.mark.parametrize("n", range(40))
        @pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
        def test_it(n, folder, tmp_path):
            place = pathlib.Path(folder, "outpace-test-of-sandboxes")
            place.write_text(str(n))
            time.sleep(0.002)
            assert place.read_text() == str(n)
            place.unlink()
            assert os.stat(folder).st_mode & 0o7777 == 0o1777
            (tmp_path / "kept").write_text(folder)
            assert tempfile.gettempdir() in ("/tmp", "/var/tmp")
        """,
    )
    assert lab.run("-n4").counts["failed"]
    base = lab.folder / "base"
    run = lab.run("-n4", "--isolate=tmp", "--start-method", method, f"--basetemp={base}")
    assert (run.ret, run.counts) == (0, {"passed": 120}), run.out + run.err
    assert len(list(base.glob("popen-gw*/test_it*[0-9]/kept"))) == 120, (
        "the workers' folders are for the user to look at"
    )
    assert not os.path.exists("/tmp/outpace-test-of-sandboxes")


def test_a_home_on_request(lab: Lab) -> None:
    lab.write(
        "test_a.py",
        """
        import pathlib
        import pytest

        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            home = pathlib.Path.home()
            assert list(home.iterdir()) == []
            (home / ".apprc").write_text("x")
        """,
    )
    lab.settings('kinds = ["tmp"]\nhome = true')
    run = lab.run("-n2", "--dist=each", "--deselect=test_a.py::test_it[1]")
    assert (run.ret, run.counts["passed"]) == (0, 2), run.out


def test_ipc(lab: Lab, method: str) -> None:
    lab.write(
        "test_a.py",
        """
        import ctypes, time
        import pytest

        libc = ctypes.CDLL(None, use_errno=True)

        @pytest.mark.parametrize("n", range(40))
        def test_it(n):
            found = libc.shmget(0x07ace, 4096, 0o1600 | 0o2000)     # IPC_CREAT | IPC_EXCL
            assert found >= 0, ctypes.get_errno()
            time.sleep(0.005)
            libc.shmctl(found, 0, None)
        """,
    )
    assert lab.run("-n4").counts["failed"]
    run = lab.run("-n4", "--isolate=ipc", "--start-method", method)
    assert (run.ret, run.counts) == (0, {"passed": 40}), run.out + run.err


def test_the_user_is_who_it_was(lab: Lab) -> None:
    lab.write(
        "test_a.py",
        """
        import os, subprocess
        import pytest

        def test_ids():
            assert (os.getuid(), os.getgid()) == (int(os.environ["WANTED_UID"]), int(os.environ["WANTED_GID"]))

        def test_subprocess():
            assert subprocess.check_output(["id", "-u"], text=True).strip() == os.environ["WANTED_UID"]

        def test_rights(tmp_path):
            locked = tmp_path / "locked"
            locked.write_text("x")
            locked.chmod(0)
            if os.environ["WANTED_UID"] == "0":
                assert locked.read_text() == "x"
            else:
                with pytest.raises(PermissionError):
                    locked.read_text()
                with pytest.raises(PermissionError):
                    open("/etc/outpace-test", "w")
        """,
    )
    status = lab.path.stat()
    lab.write("outside.txt", "x")
    run = lab.run("-n2", "--isolate=all", env=_ids(lab))
    assert (run.ret, run.counts) == (0, {"passed": 3}), run.out
    assert lab.path.stat().st_mode == status.st_mode


def _ids(lab: Lab) -> dict[str, str]:
    command = [*lab.user.prefix, "sh", "-c", "id -u; id -g"]
    uid, gid = subprocess.check_output(command, text=True).split()
    return {"WANTED_UID": uid, "WANTED_GID": gid}


@pytest.mark.parametrize("kinds", ["ports", "tmp", "files", "ipc", "all"])
def test_each_kind_leaves_an_ordinary_suite_alone(lab: Lab, kinds: str, method: str) -> None:
    lab.write("app/__init__.py", "VALUE = 1\n")
    lab.write("app/data.txt", "data")
    lab.write(
        "tests/test_a.py",
        """
        import asyncio, logging, multiprocessing, pathlib, socket, sqlite3, subprocess, sys, threading
        import pytest
        import app

        def test_import(): assert app.VALUE == 1
        def test_read(): assert pathlib.Path(app.__file__).with_name("data.txt").read_text() == "data"
        def test_subprocess():
            out = subprocess.run([sys.executable, "-c", "import app; print(app.VALUE)"], capture_output=True, text=True)
            assert out.stdout == "1\\n", out.stderr
        def test_pool():
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
        def test_sqlite(tmp_path):
            with sqlite3.connect(tmp_path / "x.db") as db:
                db.execute("create table t (a)")
        def test_server():
            async def talk():
                async def serve(reader, writer):
                    writer.write(await reader.readline())
                    writer.close()
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\\n")
                assert await reader.readline() == b"hello\\n"
                server.close()
            asyncio.run(talk())
        def test_localhost():
            assert ("127.0.0.1", 80) in [each[4] for each in socket.getaddrinfo("localhost", 80, socket.AF_INET)]
        def test_tmp(tmp_path, tmp_path_factory):
            assert tmp_path.is_dir() and tmp_path_factory.mktemp("x").is_dir()
        def test_thread():
            thread = threading.Thread(target=print); thread.start(); thread.join()
        """,
    )
    env = {"PYTHONPATH": os.pathsep.join((*lab.user.paths, str(lab.path)))}
    run = lab.run("-n2", f"--isolate={kinds}", "--start-method", method, env=env)
    assert (run.ret, run.counts) == (0, {"passed": 9}), run.out + run.err
