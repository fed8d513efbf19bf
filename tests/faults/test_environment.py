"""A machine that refuses: no room in the temp folder, few open files, no `/proc`, no network of ours to be found."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from .arena import Arena
from .verdict import Run

MANY = """
    import os, pytest
    @pytest.mark.parametrize("i", range(40))
    def test_a(i, tmp_path):
        (tmp_path / "small").write_text("x")
        print("said")
        if i == 7: os._exit(9)
"""
COLLECTION = [f"test_a.py::test_a[{i}]" for i in range(40)]
METHODS = pytest.mark.parametrize("method", ["fork", "spawn"])


def _has_mount_namespaces() -> bool:
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or not _has_mount_namespaces(), reason="mounting needs root and a mount namespace"
)


def in_mounts(script: str) -> tuple[str, ...]:
    """Run the command that follows in a mount namespace of its own, after the script."""
    return ("unshare", "-m", "sh", "-c", f'{script}; exec "$@"', "sh")


@METHODS
def test_few_open_files(arena: Arena, method: str) -> None:
    """64 is what some machines give; nothing of outpace needs more, and tests see the limit that was set."""
    arena.write("test_a.py", MANY)
    arena.write(
        "test_b.py",
        "import resource\ndef test_limit(): assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64)",
    )
    run = arena.run(
        "-n2", f"--start-method={method}", prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    )
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_a[7]"], run.output
    assert [r for r in run.reports if r["nodeid"] == "test_b.py::test_limit" and r["outcome"] != "passed"] == []
    run.assert_accounted([*COLLECTION, "test_b.py::test_limit"])
    run.assert_clean()


@needs_mounts
@METHODS
def test_no_proc(arena: Arena, method: str) -> None:
    arena.write("test_a.py", MANY)
    run = arena.run("-n2", f"--start-method={method}", prefix=in_mounts("mount -t tmpfs none /proc"))
    assert run.code == 1, run.output
    assert list(run.crashed) == ["test_a.py::test_a[7]"], run.output
    run.assert_accounted(COLLECTION)
    run.assert_clean()


def assert_failed_for_space(run: Run) -> None:
    assert run.code == 1, run.output
    run.assert_says("No space left on device")
    run.assert_accounted(COLLECTION)
    assert not run.crashed and not run.not_run, run.output
    run.assert_clean()


@needs_mounts
def test_full_temp_folder(arena: Arena) -> None:
    """Tests that meet the full disk fail, as they do serially; none is lost, and nobody waits for ever."""
    arena.write(
        "test_a.py",
        """
        import pytest
        @pytest.mark.parametrize("i", range(40))
        def test_a(i, tmp_path):
            (tmp_path / "big").write_bytes(b"x" * 200_000)
        """,
    )
    prefix = in_mounts(f"mount -t tmpfs -o size=1m none {arena.temp}")
    run = arena.run("-n2", prefix=prefix)
    assert_failed_for_space(run)


@needs_mounts
@METHODS
def test_temp_folder_fills_up(arena: Arena, method: str) -> None:
    """From then on not even what a test prints can be kept."""
    arena.write(
        "test_a.py",
        """
        import pytest
        @pytest.mark.parametrize("i", range(40))
        def test_a(i, tmp_path):
            if i == 3:
                with open(tmp_path / "all", "wb", buffering=0) as file:
                    while file.write(b"x" * 4096): pass
            print("x" * 9000)
        """,
    )
    prefix = in_mounts(f"mount -t tmpfs -o size=1m none {arena.temp}")
    run = arena.run("-n2", f"--start-method={method}", prefix=prefix)
    assert_failed_for_space(run)


@needs_mounts
@METHODS
def test_unwritable_temp_folder(arena: Arena, method: str) -> None:
    """The tests that want a folder fail with the system's words, as they do serially; the others pass."""
    arena.write("test_a.py", "def test_a(tmp_path): pass\ndef test_b(): pass")
    prefix = in_mounts(f"mount -t tmpfs -o ro none {arena.temp}")
    for args in (("-p", "no:outpace", "-n0"), ("-n2", f"--start-method={method}")):
        run = arena.run(*args, prefix=prefix, env={"PYTEST_DEBUG_TEMPROOT": str(arena.temp)})
        assert run.code == 1, run.output
        run.assert_says("Read-only file system", str(arena.temp), "1 passed, 1 error")
        run.assert_clean()


@needs_mounts
def test_unwritable_tmpdir(arena: Arena) -> None:
    """Python looks for another folder, and so does the run."""
    arena.write("test_a.py", "def test_a(tmp_path): print('captured')")
    run = arena.run("-n2", prefix=in_mounts(f"mount -t tmpfs -o ro none {arena.temp}"))
    assert run.code == 0, run.output
    run.assert_clean()


def test_missing_temp_folder(arena: Arena) -> None:
    """Python falls back to another folder, and so does the run."""
    arena.write("test_a.py", "def test_a(tmp_path): pass")
    run = arena.run("-n2", env={"TMPDIR": str(arena.temp / "missing")})
    assert run.code == 0, run.output
    run.assert_clean()


@pytest.mark.parametrize("args", [("--basetemp=locked/base",), ("--junitxml=locked/junit.xml",)])
def test_folder_that_is_a_file(arena: Arena, args: tuple[str, ...]) -> None:
    """What serial pytest says of a place it cannot write to is said here too, once."""
    arena.write("locked", "a file")
    arena.write("test_a.py", "def test_a(tmp_path): pass")
    run = arena.run("-n2", *args)
    assert run.code != 0
    run.assert_says("locked")
    run.assert_clean()


LISTENS = """
    import os
    from pathlib import Path

    def lines(name):
        return [line.split() for line in Path("/proc/net", name).read_text().splitlines()[1:]]

    def inodes(pid):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try: target = os.readlink(fd)
            except OSError: continue
            if target.startswith("socket:["): yield target[8:-1]

    def test_nothing_listens():
        marker = f"OUTPACE_FAULTS_RUN={os.environ['OUTPACE_FAULTS_RUN']}".encode()
        pids = []
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit(): continue
                if marker in (entry / "environ").read_bytes().split(b"\\0"): pids.append(entry.name)
            except OSError: pass
        assert len(pids) >= 4
        owned = {inode for pid in pids for inode in inodes(pid)}
        assert len(owned) >= 4
        for name in ("tcp", "tcp6", "udp", "udp6"):
            if Path("/proc/net", name).exists():
                assert not [line for line in lines(name) if line[9] in owned]
        unix = [line for line in lines("unix") if line[6] in owned]
        assert len(unix) >= 4
        assert all(line[5] == "03" for line in unix), "a socket that is not connected"
        assert all(len(line) == 7 for line in unix), "a socket with a path"
        assert not any(int(line[3], 16) & 0x10000 for line in unix), "a socket that accepts connections"
"""


@METHODS
def test_nothing_listens(arena: Arena, method: str) -> None:
    """Every socket of every process of a run is one end of an unnamed pair: there is nothing to connect to."""
    arena.write("test_a.py", LISTENS)
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == 0, run.output
    run.assert_clean()


def test_the_binary_refuses_a_socket_of_another_user(arena: Arena) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a socket pair as another user")
    binary = Path(sys.executable).parent / "outpace"
    script = """
import os, socket, subprocess, sys
os.setresuid(65534, 65534, 0)
ours, theirs = socket.socketpair()
os.setresuid(0, 0, 0)
print(subprocess.run([sys.argv[1], "__coordinate", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                     capture_output=True, text=True, timeout=20))
"""
    done = subprocess.run([sys.executable, "-c", script, str(binary)], capture_output=True, text=True, check=False)
    assert "returncode=0" not in done.stdout and "outpace:" in done.stdout, done
