"""Outer plugin (``-p nested_engine``) for runs of xdist's own tests: says which engine their nested runs use.

pytester removes ``PYTEST_ADDOPTS`` when it is set up, so the options meant for the nested runs come in
``NESTED_ADDOPTS`` and are put back afterwards; this reaches subprocess, in-process and pexpect runs alike.
A test that hangs is ended after ``NESTED_TIMEOUT`` seconds. It changes nothing else of a test.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from types import FrameType

import pytest


@pytest.fixture(autouse=True)
def _nested_addopts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")
    addopts = os.environ.get("NESTED_ADDOPTS")
    if addopts:
        monkeypatch.setenv("PYTEST_ADDOPTS", addopts)


def _expired(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError("the nested run did not end in time")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    previous = signal.signal(signal.SIGALRM, _expired)
    signal.alarm(int(os.environ.get("NESTED_TIMEOUT", "90")))
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
