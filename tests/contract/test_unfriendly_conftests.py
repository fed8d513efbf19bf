"""Conftests that change what the runner itself relies on: sockets, timeouts, the pace of one process."""

from __future__ import annotations

import pytest
from project import ENGINE, Project

METHODS: list[tuple[str, ...]] = [()] if ENGINE == "xdist" else [("--start-method=fork",), ("--start-method=spawn",)]

# Each test waits a little, so that no answer can be there before the worker asks for it.
MANY = """
    import time, pytest
    @pytest.mark.parametrize("i", range(12))
    def test_many(i):
        time.sleep(0.02)
"""

each_method = pytest.mark.parametrize(
    "method", METHODS, ids=lambda method: method[0].partition("=")[2] if method else ""
)


@each_method
def test_default_timeout_of_sockets(project: Project, method: tuple[str, ...]) -> None:
    project.files(conftest="import socket\nsocket.setdefaulttimeout(5)", test_a=MANY)
    run = project.run(*method, "-n2")
    assert (run.ret, run.counts) == (0, {"passed": 12})


@each_method
def test_sockets_forbidden(project: Project, method: tuple[str, ...]) -> None:
    project.files(
        conftest="""
            import socket
            class Forbidden(socket.socket):
                def __new__(cls, *args, **kwargs):
                    raise RuntimeError("no sockets in tests")
            socket.socket = Forbidden
        """,
        test_a=MANY,
    )
    run = project.run(*method, "-n2")
    assert (run.ret, run.counts) == (0, {"passed": 12})


@pytest.mark.parametrize("slow", ["gw0", "gw1"])
@each_method
def test_one_worker_collects_slowly(project: Project, method: tuple[str, ...], slow: str) -> None:
    project.files(
        conftest=f"""
            import os, time
            def pytest_collection_modifyitems():
                if os.environ.get("PYTEST_XDIST_WORKER") == {slow!r}:
                    time.sleep(1.5)
        """,
        test_a=MANY,
    )
    run = project.run(*method, "-n2", limit=40.0)
    assert (run.ret, run.counts) == (0, {"passed": 12})
