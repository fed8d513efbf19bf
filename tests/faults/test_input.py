"""What outpace is given and cannot use: one clear message, and the exit code that pytest's users expect."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from .arena import Arena

USAGE = 4


def said(output: str, text: str) -> int:
    return sum(text in line for line in output.splitlines())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-nmany",), "many"),
        (("-n", "1.5"), "1.5"),
        (("-n2", "--dist=nothing"), "invalid choice: 'nothing'"),
        (("-n2", "--start-method=nothing"), "invalid choice: 'nothing'"),
        (("-n2", "-o", "outpace_start_method=nothing"), "outpace_start_method = 'nothing'"),
        (("-n2", "--max-worker-restart=some"), "some"),
        (("-n2", "--maxfail=some"), "some"),
        (("-n2", "missing.py"), "file or directory not found: missing.py"),
        (("-n2", "test_a.py::test_missing"), "not found"),
        (("-n2", "--rootdir=missing"), "missing"),
        (("-n2", "-p", "missing_plugin"), "missing_plugin"),
        (("-n2", "--pdb-others=nothing"), "--pdb-others"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_arguments(arena: Arena, args: tuple[str, ...], message: str) -> None:
    arena.write("test_a.py", "def test_a(): pass")
    run = arena.run(*args)
    assert run.code == (1 if args[-1] == "missing_plugin" else USAGE), run.output
    assert said(run.output, message) >= 1, run.output
    if args[-1] != "missing_plugin":  # serial pytest, too, answers that with a traceback
        assert "Traceback" not in run.output and "INTERNALERROR" not in run.output, run.output
    run.assert_clean()


@pytest.mark.parametrize("ini", ["outpace_start_method = nothing", "addopts = -n nothing", "addopts = --dist=nothing"])
def test_configuration(arena: Arena, ini: str) -> None:
    arena.write("pytest.ini", f"[pytest]\n{ini}\n")
    arena.write("test_a.py", "def test_a(): pass")
    run = arena.run(*([] if "-n" in ini else ["-n2"]))
    assert run.code == USAGE, run.output
    assert said(run.output, "nothing") >= 1 and "Traceback" not in run.output, run.output
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("where", ["controller", "worker"])
def test_conftest_that_raises(arena: Arena, where: str, method: str) -> None:
    """In the controller it is pytest's own message; in workers there is one message for all of them."""
    if where == "controller":
        arena.write("conftest.py", "raise ValueError('my conftest broke')")
    else:
        arena.write(
            "conftest.py",
            """
            def pytest_configure(config):
                if hasattr(config, "workerinput"): raise ValueError("my conftest broke")
            """,
        )
    arena.write("test_a.py", "def test_a(): pass")
    run = arena.run("-n3", f"--start-method={method}", "--max-worker-restart=2")
    assert run.code == USAGE if where == "controller" else run.code in (1, 3), run.output
    run.assert_says("ValueError: my conftest broke")
    assert sum(line.startswith("ValueError: my conftest broke") for line in run.lines) <= 1, run.output
    assert run.record is None or not run.reports, run.output
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_usage_error_in_workers_only(arena: Arena, method: str) -> None:
    arena.write(
        "conftest.py",
        """
        import pytest
        def pytest_configure(config):
            if hasattr(config, 'workerinput'): raise pytest.UsageError('my setting is wrong')
        """,
    )
    arena.write("test_a.py", "def test_a(): pass")
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == USAGE, run.output
    assert said(run.output, "my setting is wrong") == 1, run.output
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_collection_error_in_one_file(arena: Arena, method: str) -> None:
    """All other tests run, the error is told once, and the run does not end well."""
    arena.write("test_a.py", "import pytest\n@pytest.mark.parametrize('i', range(10))\ndef test_a(i): pass")
    arena.write("test_b.py", "import nothing_of_that_name")
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == 1, run.output
    assert said(run.output, "ERROR collecting test_b.py") == 1, run.output
    run.assert_accounted([f"test_a.py::test_a[{i}]" for i in range(10)])
    assert not run.not_run
    run.assert_clean()


@pytest.mark.parametrize(
    ("binary", "message"),
    [
        ("/nowhere/outpace", "/nowhere/outpace"),
        (os.devnull, os.devnull),
        ("/bin/false", "outpace binary ended at once"),
        ("/bin/cat", "outpace binary ended at once"),
    ],
)
def test_binary_that_is_none(arena: Arena, binary: str, message: str) -> None:
    arena.write("test_a.py", "def test_a(): pass")
    run = arena.run("-n2", env={"OUTPACE_BINARY": binary})
    assert run.code == USAGE, run.output
    assert said(run.output, message) >= 1 and "Traceback" not in run.output, run.output
    run.assert_clean()


def test_package_of_another_version(arena: Arena) -> None:
    """A half-finished upgrade: the message says what to do."""
    arena.write("old/sitecustomize.py", "import outpace\noutpace.__version__ = '0.0.7'\n")
    arena.write("test_a.py", "def test_a(): pass")
    support = Path(__file__).resolve().parent.parent / "support"
    run = arena.run("-n2", env={"PYTHONPATH": f"{arena.folder / 'old'}:{support}"})
    assert run.code == USAGE, run.output
    assert said(run.output, "the Python package is version 0.0.7: reinstall outpace") == 1, run.output
    assert "Traceback" not in run.output
    run.assert_clean()


def frame(kind: int, payload: bytes, *, magic: bytes = b"OP", version: int = 1) -> bytes:
    return struct.pack("<I2sBB", len(payload), magic, version, kind) + payload


HELLO = frame(1, json.dumps({"version": "0.1.0"}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        frame(1, b"{}", version=9),
        frame(1, b"not json"),
        frame(200, b""),
        struct.pack("<I2sBB", 2**32 - 1, b"OP", 1, 1),
        HELLO + frame(4, b"x"),
        HELLO + frame(3, b"{}"),
        HELLO + b"\0" * 100,
    ],
    ids=["http", "version", "not-json", "kind", "length", "short", "empty-plan", "zeros"],
)
def test_controller_that_talks_nonsense(data: bytes) -> None:
    """The binary ends at once, with one line on what it was sent, whoever it was."""
    done = coordinate(data)
    assert done.returncode not in (0, 101) and done.returncode > 0, done
    assert len(done.stderr.splitlines()) in (1, 2) and done.stderr.startswith("outpace: "), done
    assert "panicked" not in done.stderr


@pytest.mark.parametrize("data", [b"", HELLO, HELLO[:5], struct.pack("<I2sBB", 1000, b"OP", 1, 1) + b"the beginning"])
def test_controller_that_goes_away(data: bytes) -> None:
    """There is nobody to tell: it ends."""
    done = coordinate(data, close=True)
    assert done.returncode >= 0 and "panicked" not in done.stderr, done


def coordinate(data: bytes, *, close: bool = False) -> subprocess.CompletedProcess[str]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            [outpace(), "__coordinate", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        ours.sendall(data)
        if close:
            ours.close()
        try:
            out, err = process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError("it waits for more") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize(
    "args", [("__coordinate",), ("__coordinate", "77"), ("__coordinate", "1"), ("__coordinate", "x")]
)
def test_binary_without_a_socket(args: tuple[str, ...]) -> None:
    done = subprocess.run([outpace(), *args], capture_output=True, text=True, check=False, timeout=15)
    assert done.returncode == USAGE
    assert done.stderr == "outpace: __coordinate is for outpace's own use and needs an inherited socket\n"


def outpace() -> str:
    beside = Path(sys.executable).parent / "outpace"
    found = str(beside) if beside.exists() else shutil.which("outpace")
    assert found, "the outpace binary is not installed"
    return found
