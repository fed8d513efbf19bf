"""``outpace init`` on small projects: what it writes, and that pytest then does what it said."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pexpect
import pytest
from conftest import OUTPACE, Shop

PYPROJECT = """
    [project]
    name = "shop"
    version = "1"

    [project.optional-dependencies]
    test = ["pytest"]  # the runner

    [tool.pytest.ini_options]
    addopts = "-ra"
"""
CONFIGS = {
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = \"-ra -k 'not left_out'\"\n",
    "pytest.ini": "[pytest]\naddopts =\n    -k 'not left_out'\n    -ra\n",
    ".pytest.ini": "[pytest]\naddopts: -k 'not left_out'\n",
    "tox.ini": "[tox]\nskipsdist = true\n[pytest]\naddopts = -k 'not left_out'\n",
    "setup.cfg": "[metadata]\nname = shop\n[tool:pytest]\naddopts = -ra\n    -k 'not left_out'\n",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_pytest_is_parallel_then_and_its_other_settings_hold(shop: Shop, name: str) -> None:
    shop.tests().write(name, CONFIGS[name])
    shop.write("test_serial.py", "import pytest\n@pytest.mark.serial\ndef test_alone():\n    pass\n")
    shop.write("test_settings.py", "def test_left_out():\n    assert 0, 'the settings are lost'\n")

    done = shop.outpace("init", "--yes")

    assert done.ret == 0, done.out + done.err
    done.match("checked with the first 7 tests of the suite:")
    done.match("  pytest *outpace, * worker*: 7 passed", "*one process: 7 passed")
    shop.pytest().match("*outpace *: * worker*", "*7 passed*")
    serial = shop.pytest("-n", "0")
    serial.match("*7 passed*")
    assert not any("worker" in line for line in serial.out.splitlines())
    # The marker is the project's own: also where outpace is switched off.
    assert shop.pytest("-p", "no:outpace", "-n", "0", "--strict-markers").ret == 0


def test_workers_are_processes_of_their_own(shop: Shop) -> None:
    shop.write("conftest.py", "def pytest_xdist_auto_num_workers():\n    return 3\n")
    shop.tests(8).write("pyproject.toml", PYPROJECT)
    done = shop.outpace("init", "--yes")
    line = next(line for line in done.out.splitlines() if line.startswith("  pytest   "))
    pids = [word.rstrip("),:") for word in line.split("is process ")[1:]]
    pids = [pid.split(",")[0].split(")")[0] for pid in pids]
    assert len(set(pids)) == len(pids) == 3 and all(int(pid) > 1 for pid in pids), line


def test_twice_is_once(shop: Shop) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    shop.write("Makefile", "test:\n\tpytest\n")
    assert shop.outpace("init", "--yes", "--no-verify").ret == 0
    first = shop.files()
    assert '"outpace"' in shop.read("pyproject.toml") and "test-serial" in shop.read("Makefile")

    again = shop.outpace("init", "--yes", "--no-verify")

    assert again.ret == 0 and "nothing to do" in again.out
    assert shop.files() == first
    assert shop.outpace("init", "--check").ret == 0


@pytest.mark.parametrize(("option", "code"), [("--check", 1), ("--dry-run", 0)])
def test_check_and_dry_run_change_nothing(shop: Shop, option: str, code: int) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    before = shop.files()
    done = shop.outpace("init", option)
    assert done.ret == code
    done.match('-addopts = "-ra"', '+addopts = "-ra -n auto"')
    done.match("pyproject.toml: outpace beside pytest in *", "1 file to change*")
    assert shop.files() == before


def test_without_a_terminal_it_wants_a_yes(shop: Shop) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    before = shop.files()
    done = shop.outpace("init")
    assert done.ret == 4 and "--yes" in done.err
    assert shop.files() == before


def at_terminal(shop: Shop) -> pexpect.spawn:
    line = ["--python", sys.executable, "init", "--no-verify"]
    return pexpect.spawn(str(OUTPACE), line, cwd=str(shop.path), timeout=60)


@pytest.mark.parametrize(("answer", "workers", "code"), [("n", "", 1), ("", "", 1), ("y", "-n auto", 0)])
def test_it_asks(shop: Shop, answer: str, workers: str, code: int) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    before = shop.files()
    child = at_terminal(shop)
    child.expect_exact("Change this? [y/N]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert workers in shop.read("pyproject.toml")
    assert (shop.files() == before) == (code == 1)


@pytest.mark.parametrize(("answer", "expected"), [("n", "-ra -n 3"), ("y", "-ra -n auto")])
def test_another_number_of_workers_is_asked_about(shop: Shop, answer: str, expected: str) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT.replace("-ra", "-ra -n 3"))
    child = at_terminal(shop)
    child.expect_exact("Put `-n auto` there? [y/N]")
    child.sendline(answer)
    child.expect_exact("Change this? [y/N]")
    child.sendline("y")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert f'addopts = "{expected}"' in shop.read("pyproject.toml")


def test_another_number_of_workers_is_kept_and_told_or_replaced(shop: Shop) -> None:
    shop.tests().write("pytest.ini", "[pytest]\naddopts = -n 2 -q\n")
    kept = shop.outpace("init", "--yes")
    assert kept.ret == 0 and "addopts has `-n 2`, which was kept" in kept.out
    assert "addopts = -n 2 -q" in shop.read("pytest.ini")
    assert shop.outpace("init", "--yes", "--replace-workers", "--no-verify").ret == 0
    assert "addopts = -n auto -q" in shop.read("pytest.ini")


def test_a_serial_project_that_stays_so_is_told(shop: Shop) -> None:
    shop.tests().write("pytest.ini", "[pytest]\naddopts = -n 0\n")
    done = shop.outpace("init", "--yes")
    assert done.ret == 1
    assert "bare `pytest` does not run under outpace here, but under pytest" in done.out


def test_what_make_runs(shop: Shop) -> None:
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    shop.tests().write("pyproject.toml", PYPROJECT)
    shop.write("Makefile", f"lint:\n\t{sys.executable} -m pytest --version\n")
    shop.write("test_alone.py", "import pytest\n@pytest.mark.serial\ndef test_alone():\n    pass\n")
    assert shop.outpace("init", "--yes", "--no-verify").ret == 0
    from conftest import run

    run(["make", "test"], shop.path).match("*outpace *worker*", "*7 passed*")
    run(["make", "test-fast"], shop.path).match("*outpace *worker*", "*6 passed*")
    serial = run(["make", "test-serial"], shop.path)
    serial.match("*7 passed*")
    assert "outpace 0" not in serial.out


def test_a_project_without_any_settings(shop: Shop) -> None:
    done = shop.tests().outpace("init", "--yes")
    assert done.ret == 0, done.out + done.err
    assert shop.read("pytest.ini").startswith("[pytest]\naddopts = -n auto\n")
    shop.pytest().match("*outpace *worker*", "*6 passed*")


def test_a_project_without_tests_is_not_checked(shop: Shop) -> None:
    shop.write("pyproject.toml", PYPROJECT)
    done = shop.outpace("init", "--yes")
    assert done.ret == 0 and "pytest finds no tests here" in done.out


def test_failing_tests_are_no_failure_of_the_set_up(shop: Shop) -> None:
    shop.tests().write("test_bad.py", "def test_bad():\n    assert 0\n")
    done = shop.outpace("init", "--yes")
    assert done.ret == 0
    done.match("  pytest *1 failed*")


def test_a_suite_that_does_not_start_is_shown(shop: Shop) -> None:
    shop.tests().write("pytest.ini", "[pytest]\naddopts = --no-such-option\n")
    done = shop.outpace("init", "--yes")
    assert done.ret == 1
    done.match("`pytest` did not run the tests*", "*--no-such-option*")


def test_an_environment_without_outpace_is_named(shop: Shop, tmp_path: Path) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {getattr(sys, "_base_executable", sys.executable)} -S "$@"\n')
    python.chmod(0o755)
    done = shop.outpace("init", "--yes", python=str(python))
    assert done.ret == 0, done.err
    done.match(f"not checked: outpace is not installed in {tmp_path / 'env'}", "*-m pip install outpace*")


# ---------------------------------------------------------------- what cannot be done


def refused(shop: Shop, *args: str, **options: object) -> str:
    before = shop.files()
    done = shop.outpace("init", "--yes", *args, **options)  # type: ignore[arg-type]
    assert done.ret == 4, done.out + done.err
    assert "Traceback" not in done.err and "panicked" not in done.err
    assert shop.files() == before
    return done.err


def test_an_invalid_pyproject_is_named_with_its_line(shop: Shop) -> None:
    shop.tests().write("pyproject.toml", "[project]\nname = \"shop\"\nversion = \n")
    assert "pyproject.toml:3:" in refused(shop)


def test_an_invalid_ini_file_is_named_with_its_line(shop: Shop) -> None:
    shop.tests().write("pytest.ini", "[pytest]\nthis is not it\n")
    assert "pytest.ini:2:1: neither a [section], nor key = value" in refused(shop)


def test_a_file_that_is_no_text(shop: Shop) -> None:
    (shop.tests().path / "pyproject.toml").write_bytes(b"\xff\xfe[")
    assert "pyproject.toml: stream did not contain valid UTF-8" in refused(shop)


def test_xdist_switched_off_in_addopts(shop: Shop) -> None:
    shop.tests().write("pytest.ini", "[pytest]\naddopts = -p no:xdist\n")
    assert "take `-p no:xdist` out" in refused(shop)


def test_a_folder_whose_settings_are_further_up(shop: Shop) -> None:
    shop.write("pytest.ini", "[pytest]\n")
    shop.tests(name="tests/test_a.py")
    text = refused(shop, cwd=shop.path / "tests")
    assert f"this folder's pytest settings are in {shop.path / 'pytest.ini'}" in text
    assert f"outpace init {shop.path}" in text
    assert shop.outpace("init", str(shop.path), "--yes", "--no-verify", cwd=shop.path / "tests").ret == 0


def test_a_folder_of_a_repository_is_no_project(shop: Shop) -> None:
    (shop.path / ".git").mkdir()
    shop.write("pyproject.toml", "[project]\nname = 'shop'\n")
    shop.tests(name="tests/test_a.py")
    text = refused(shop, cwd=shop.path / "tests")
    assert f"this folder is part of the project in {shop.path}" in text
    assert f"outpace init {shop.path}" in text


def test_no_such_folder(shop: Shop) -> None:
    assert "nowhere" in refused(shop, "nowhere")


@pytest.mark.parametrize("unwritable", ["folder", "file"])
def test_a_project_that_must_not_be_written(shop: Shop, tmp_path: Path, unwritable: str) -> None:
    shop.tests().write("pyproject.toml", PYPROJECT)
    shop.write("Makefile", "all:\n")
    everybody = 65534
    target = shop.path if unwritable == "folder" else shop.path / "pyproject.toml"
    if os.geteuid() == 0:
        for path in [tmp_path, *tmp_path.parents]:
            if "pytest-of-" in str(path):
                path.chmod(0o755)
        shutil.chown(shop.path, everybody)
        for path in shop.path.iterdir():
            shutil.chown(path, everybody)
    target.chmod(target.stat().st_mode & ~0o222)
    try:
        text = refused(shop, user=everybody if os.geteuid() == 0 else None, python="/bin/true")
    finally:
        target.chmod(target.stat().st_mode | 0o200)
    assert "cannot be written: Permission denied" in text and "nothing was changed" in text


@pytest.mark.parametrize("line", [["--yes", "--check"], ["--dry-run", "--check"], ["--bogus"], ["a", "b"]])
def test_usage_errors(shop: Shop, line: list[str]) -> None:
    done = shop.tests().outpace("init", *line)
    assert done.ret == 4 and "error:" in done.err


# ---------------------------------------------------------------- a folder of that name


def test_a_folder_named_init_is_still_reached(shop: Shop) -> None:
    shop.tests(3, "init/test_a.py").tests(2, "init_tests/test_b.py")
    lines = {"./init": 3, "-- init": 3, "init/": 3, "init_tests": 2, "-q init": 3}
    for line, passed in lines.items():
        done = shop.outpace(*line.split())
        assert done.ret == 0 and f"{passed} passed" in done.out, (line, done.out, done.err)
    command = shop.outpace("init", "--dry-run")
    assert command.ret == 0
    assert "`init` is a command; for the path of that name say: outpace ./init" in command.err


def test_the_help_names_the_commands(shop: Shop) -> None:
    text = shop.outpace("--help").out
    assert "  init " in text and "  compare " in text
    assert "outpace ./init" in text
