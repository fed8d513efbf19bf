"""``outpace compare`` on suites whose differences are known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import OUTPACE, Shop, run


def compared(shop: Shop, *args: str, code: int = 0) -> tuple[Any, str]:
    done = shop.outpace("compare", "--json", "out.json", *args)
    assert done.ret == code, done.out + done.err
    return json.loads(shop.read("out.json")), done.out


def engines(document: Any) -> dict[str, Any]:
    return {each["engine"]: each for each in document["engines"]}


@pytest.mark.parametrize("addopts", ["", "-n 2 --dist loadfile --test-timeout 30", "-d --tx 2*popen"])
def test_three_engines_that_agree(shop: Shop, addopts: str) -> None:
    shop.tests(5).write("pytest.ini", f"[pytest]\naddopts = {addopts}\nmarkers = slow\n")
    shop.write(
        "test_more.py",
        """
        import pytest

        def test_fails(): assert 0
        def test_skips(): pytest.skip("no")
        @pytest.mark.xfail
        def test_expected(): assert 0
        @pytest.fixture
        def broken(): raise ValueError
        def test_error(broken): pass
        @pytest.mark.serial
        def test_alone(): pass
        """,
    )
    document, out = compared(shop, "--strict-markers")
    assert document["same"] and document["differences"] == [] and document["flaky"] == []
    found = engines(document)
    assert list(found) == ["pytest", "xdist", "outpace", "outpace-again"]
    for name, engine in found.items():
        (only,) = engine["runs"]
        assert only["exit_code"] == 1
        assert only["tests"] == {"passed": 6, "failed": 1, "errors": 1, "skipped": 2}
        assert (only["workers"] > 0) == (name != "pytest")
        assert only["wall_seconds"] > 0 and only["cpu_seconds"] > 0.05 and only["peak_memory_bytes"] > 5_000_000
    assert "outpace: every test ends as under plain pytest" in out
    assert "plain pytest " in out and "pytest-xdist " in out


def test_the_cost_of_the_tests_own_processes_counts(shop: Shop) -> None:
    burn = "import time\nend = time.process_time() + 0.7\nwhile time.process_time() < end: pass"
    call = f"subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    shop.write("test_a.py", f"import subprocess, sys\ndef test_a():\n    {call}\n")
    shop.write("test_b.py", "import time\ndef test_b():\n    ballast = bytearray(90_000_000)\n    time.sleep(1)\n")
    document, _ = compared(shop, "-n", "2")
    for engine in engines(document).values():
        assert engine["cpu_seconds"] > 0.7
        assert engine["peak_memory_bytes"] > 90_000_000


def test_a_test_that_fails_only_in_parallel_is_named(shop: Shop) -> None:
    shop.write(
        "test_a.py",
        """
        import os
        def test_serial_only(): assert "PYTEST_XDIST_WORKER" not in os.environ
        def test_fine(): pass
        """,
    )
    document, out = compared(shop, code=1)
    keys = ("engine", "test", "phase", "pytest", "here")
    found = {tuple(each[key] for key in keys) for each in document["differences"]}
    expected = ("test_a.py::test_serial_only", "call", "passed", "failed")
    assert found == {(engine, *expected) for engine in ("xdist", "outpace", "outpace-again")}
    assert not document["same"]
    assert "  test_a.py::test_serial_only [call]: passed → failed" in out


def test_groups_in_the_ids_of_xdist_are_no_difference(shop: Shop) -> None:
    shop.write("test_a.py", "import pytest\n@pytest.mark.xdist_group('db')\ndef test_a(): pass\ndef test_b(): pass\n")
    document, _ = compared(shop, "--dist", "loadgroup", "-n", "2")
    assert document["differences"] == [] and document["same"]


def test_a_test_that_disagrees_with_itself_is_flaky_and_no_difference(shop: Shop) -> None:
    shop.write(
        "test_a.py",
        """
        import pathlib
        def test_every_second_time():
            seen = pathlib.Path(__file__).with_name("count")
            count = int(seen.read_text()) if seen.exists() else 0
            seen.write_text(str(count + 1))
            assert count % 6 == 0
        def test_fine(): pass
        """,
    )
    document, out = compared(shop, "--runs", "2")
    assert document["flaky"] == ["test_a.py::test_every_second_time"]
    assert document["same"]
    assert all(len(engine["runs"]) == 2 for engine in document["engines"])
    assert "flaky by themselves" in out


def test_processes_left_behind_are_told_and_ended(shop: Shop) -> None:
    shop.write(
        "test_a.py",
        """
        import subprocess, pathlib, sys
        def test_a():
            command = "import os, time; os.setsid(); time.sleep(600)"
            child = subprocess.Popen([sys.executable, "-c", command])
            with open(pathlib.Path(__file__).with_name("pids"), "a") as file:
                file.write(f"{child.pid}\\n")
        """,
    )
    document, out = compared(shop)
    pids = [int(line) for line in shop.read("pids").split()]
    assert len(pids) == 4
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert engines(document)["pytest"]["runs"][0]["processes_left"] == 1
    assert "plain pytest: left 1 process running" in out


def test_files_that_cannot_be_collected_are_compared(shop: Shop) -> None:
    shop.tests(2).write("test_bad.py", "import no_such_module\n")
    document, _ = compared(shop, "--continue-on-collection-errors")
    assert document["same"], document
    for engine in engines(document).values():
        assert engine["runs"][0]["tests"]["errors"] == 1


def test_a_suite_that_pytest_refuses(shop: Shop) -> None:
    done = shop.tests().outpace("compare", "--no-such-option")
    assert done.ret == 4
    assert "plain pytest does not run this suite (exit status: 4):" in done.err
    assert "--no-such-option" in done.err


def test_an_environment_without_pytest_is_named(shop: Shop, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {getattr(sys, "_base_executable", sys.executable)} -S "$@"\n')
    python.chmod(0o755)
    done = shop.tests().outpace("compare", python=str(python))
    assert done.ret == 4
    assert "has no pytest with outpace" in done.err and "-m pip install outpace" in done.err
    assert "Traceback" not in done.err


def test_a_session_that_crashes_is_told(shop: Shop) -> None:
    shop.tests().write(
        "conftest.py",
        """
        import os
        def pytest_sessionfinish(session):
            if "PYTEST_XDIST_WORKER" not in os.environ and session.config.pluginmanager.hasplugin("dsession"):
                os.abort()
        """,
    )
    document, out = compared(shop, code=1)
    assert "outpace: ended with a signal before it could report" in out
    assert not document["same"]


def test_xdist_switched_off_is_clear(shop: Shop) -> None:
    done = shop.tests().outpace("compare", "-p", "no:xdist")
    assert done.ret == 4 and "-n" in done.err


def test_a_file_that_cannot_be_written_is_named_before_anything_runs(shop: Shop) -> None:
    done = shop.tests().outpace("compare", "--json", "no/such/folder/out.json")
    assert done.ret == 4 and "no/such/folder/out.json cannot be written" in done.err
    assert done.out == ""


@pytest.mark.parametrize("line", [["--runs", "0"], ["--runs", "x"], ["--json"]])
def test_usage_errors(shop: Shop, line: list[str]) -> None:
    done = shop.tests().outpace("compare", *line)
    assert done.ret == 4 and "error:" in done.err


def test_nothing_is_left_in_the_temporary_folder(shop: Shop, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = run([str(OUTPACE), "--python", sys.executable, "compare"], shop.tests().path, env={"TMPDIR": str(temporary)})
    assert done.ret == 0, done.out + done.err
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")] == []


def test_what_the_first_run_taught_is_known_in_the_second(shop: Shop) -> None:
    shop.write(
        "test_slow.py",
        """
        import time
        import pytest
        @pytest.mark.parametrize("number", range(12))
        def test_short(number): time.sleep(0.01)
        def test_long(): time.sleep(0.4)
        """,
    )
    document, out = compared(shop, "-n", "2")
    assert document["same"]
    assert "outpace again was " in out
    assert (shop.path / ".pytest_cache/d/outpace/history.sqlite3").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_everything_when_it_is_told_to_end(shop: Shop, tmp_path: Path, number: int, code: int) -> None:
    shop.write("out.json", "what was there")
    shop.write(
        "test_hangs.py",
        """
        import os, pathlib, subprocess, sys, time
        def test_hangs():
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
            pathlib.Path("began.part").write_text(f"{os.getpid()} {child.pid}")
            os.rename("began.part", "began")
            time.sleep(1000)
        """,
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environ = {**os.environ, "TMPDIR": str(temporary)}
    running = subprocess.Popen(
        [OUTPACE, "--python", sys.executable, "compare", "--json", "out.json"],
        cwd=shop.path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (shop.path / "began").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "interrupted" in said
    pids = [int(text) for text in shop.read("began").split()]
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    assert not list(temporary.glob("outpace-*"))
    assert shop.read("out.json") == "what was there"
