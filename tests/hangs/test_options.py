"""The options, their ini settings, and the marker."""

from __future__ import annotations

import importlib.util

import pytest
from faults.arena import Arena

HANG = "import time, pytest\ndef test_a(): time.sleep(600)\ndef test_b(): pass\n"
MARKED = """
    import time, pytest
    @pytest.mark.timeout({})
    def test_marked(): time.sleep({})
    class TestClass:
        pytestmark = pytest.mark.timeout(timeout=0.8, method="thread", func_only=True)
        def test_in_class(self): time.sleep(600)
        @pytest.mark.timeout(0)
        def test_unlimited(self): time.sleep(1.5)
    def test_plain(): pass
"""
needs_plugin = pytest.mark.skipif(not importlib.util.find_spec("pytest_timeout"), reason="needs pytest-timeout")


@pytest.mark.parametrize("how", [("--test-timeout=1",), ("-o", "outpace_test_timeout=1")])
def test_option_and_ini(arena: Arena, how: tuple[str, ...]) -> None:
    arena.write("test_a.py", HANG)
    run = arena.run("-n1", *how)
    assert run.code == 1
    run.assert_says("Timeout: the test took longer than 1 s (call)", "1 failed, 1 passed")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--test-timeout=soon",), "--test-timeout: soon: not a number of seconds"),
        (("--slow-timeout=-1",), "--slow-timeout: -1: not a number of seconds, 0 or more"),
        (("-o", "outpace_timeout_grace=nan"), "outpace_timeout_grace = nan in "),
    ],
)
def test_a_bad_value_is_a_usage_error(arena: Arena, args: tuple[str, ...], said: str) -> None:
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("-n1", *args)
    assert run.code == 4, run.output
    assert sum(said in line for line in run.lines) == 1, run.output


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_marker(arena: Arena, method: str) -> None:
    arena.write("test_a.py", MARKED.format(0.7, 600))
    run = arena.run("-n2", "--strict-markers", f"--start-method={method}", "-p", "no:timeout", "--slow-timeout=0")
    assert run.code == 1, run.output
    run.assert_says("took longer than 0.7 s (call)", "took longer than 0.8 s (call)", "2 failed, 2 passed")
    run.assert_clean()


def test_a_marker_wins_over_the_option(arena: Arena) -> None:
    arena.write("test_a.py", MARKED.format(60, 1.5))
    run = arena.run("-n2", "--test-timeout=1", "-p", "no:timeout")
    run.assert_says("1 failed, 3 passed")


@pytest.mark.parametrize("value", ["'soon'", "-1", "1, 2, timeout=3", ""])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_bad_marker_is_a_usage_error(arena: Arena, value: str, method: str) -> None:
    arena.write("test_a.py", MARKED.format(value, 0))
    run = arena.run("-n2", f"--start-method={method}", "-p", "no:timeout")
    assert run.code == 4, run.output
    assert sum("test_a.py::test_marked: pytest.mark.timeout(" in line for line in run.lines) == 1, run.output


@pytest.mark.parametrize("args", [("-n0",), ()])
def test_a_serial_run_accepts_them(arena: Arena, args: tuple[str, ...]) -> None:
    arena.write("test_a.py", MARKED.format(60, 0).replace("600", "0"))
    run = arena.run(*args, "--strict-markers", "--test-timeout=1", "--slow-timeout=1", "--timeout-grace=1")
    assert run.code == 0, run.output


@needs_plugin
def test_pytest_timeout_owns_the_marker(arena: Arena) -> None:
    arena.write("test_a.py", MARKED.format(0.7, 600).replace(', method="thread"', ""))
    run = arena.run("-n2", "--strict-markers", "--test-timeout=20")
    assert run.code == 1, run.output
    run.assert_says("Failed: Timeout (>0.7s) from pytest-timeout", "2 failed, 2 passed")
    run.assert_clean()


OVERRIDDEN = """
    import time, pytest
    def test_short(): time.sleep(600)
    @pytest.mark.timeout(0.6)
    def test_marked(): time.sleep(600)
    def test_unlimited(): time.sleep(1.6)
    def test_plain(): time.sleep(600)
"""
OVERRIDES = """
    [[tool.outpace.overrides]]
    filter = "test(*::test_short) or test(*::test_marked)"
    timeout = 0.4
    [[tool.outpace.overrides]]
    filter = "test(*::test_unlimited)"
    timeout = 0
    [[tool.outpace.overrides]]
    filter = "file(*)"
    serial = false
    timeout = 0.9
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_overrides_come_between_the_marker_and_the_option(arena: Arena, method: str) -> None:
    arena.write("pyproject.toml", OVERRIDES)
    arena.write("test_a.py", OVERRIDDEN)
    run = arena.run("-n2", "--test-timeout=20", "-p", "no:timeout", f"--start-method={method}")
    assert run.code == 1, run.output
    limits = {"test_short": "0.4", "test_marked": "0.6", "test_plain": "0.9"}
    failed = {report["nodeid"]: report["longrepr"] for report in run.reports if report["outcome"] == "failed"}
    assert failed.keys() == {f"test_a.py::{name}" for name in limits}, run.output
    for name, limit in limits.items():
        assert f"Timeout: the test took longer than {limit} s (call)" in failed[f"test_a.py::{name}"]
    run.assert_clean()


def test_an_override_without_an_option(arena: Arena) -> None:
    arena.write("pyproject.toml", "[[tool.outpace.overrides]]\nfilter = 'test(*_a)'\ntimeout = 0.5\n")
    arena.write("test_a.py", HANG)
    run = arena.run("-n1")
    assert run.code == 1
    run.assert_says("Timeout: the test took longer than 0.5 s (call)", "1 failed, 1 passed")


@pytest.mark.parametrize("value", ["-1", '"soon"', "true", "inf", "nan"])
def test_an_override_that_is_no_time(arena: Arena, value: str) -> None:
    arena.write("pyproject.toml", f"[[tool.outpace.overrides]]\nfilter = 'test(*)'\ntimeout = {value}\n")
    arena.write("test_a.py", HANG)
    run = arena.run("-n1")
    assert run.code == 4, run.output
    run.assert_says("pyproject.toml:3: `timeout` must be a number of seconds, 0 for no limit")


@needs_plugin
def test_an_override_beside_pytest_timeout(arena: Arena) -> None:
    arena.write("pyproject.toml", "[[tool.outpace.overrides]]\nfilter = 'test(*)'\ntimeout = 0.5\n")
    marked = "import time, pytest\n@pytest.mark.timeout(5)\ndef test_a(): time.sleep(1)\n"
    arena.write("test_a.py", marked + "def test_b(): time.sleep(600)\n")
    run = arena.run("-n2")
    assert run.code == 1
    run.assert_says("Timeout: the test took longer than 0.5 s (call)", "1 failed, 1 passed")
