"""What tests leave behind in reference cycles is finalised before the process ends, however many rounds that takes.

How often the collector looks is in each test what it is in a serial run, whatever is done about it during collection.
"""

from __future__ import annotations

import gc

import pytest
from _pytest import unraisableexception
from project import ENGINE, Project

SUITE = """
    import os

    class Knot:
        def __init__(self, left):
            self.me, self.left = self, left

        def __del__(self):
            with open("finalised", "a") as file:
                file.write(f"{self.left}\\n")
            if self.left:
                Knot(self.left - 1)

    def test_leaves_a_knot():
        import gc
        gc.disable()
        Knot(3)
"""


@pytest.mark.skipif(not hasattr(unraisableexception, "gc_collect_harder"), reason="this pytest collects none")
@pytest.mark.parametrize("arguments", [("-n0",), ("-n1",), ("-n1", "--start-method=spawn")])
def test_garbage_that_makes_garbage_is_collected(project: Project, arguments: tuple[str, ...]) -> None:
    if ENGINE == "xdist" and "--start-method=spawn" in arguments:
        pytest.skip("outpace's own")
    project.files(test_a=SUITE)
    assert project.run(*arguments).counts == {"passed": 1}
    assert (project.path / "finalised").read_text().split() == ["3", "2", "1", "0"]


# What a conftest does; whether the collector is on, and its thresholds, in the tests (None: the interpreter's own).
SET_BY_CONFTEST = {
    "pass": (True, None),
    "gc.disable()": (False, None),
    "gc.set_threshold(1_000, 5, 5)": (True, (1_000, 5, 5)),
    "gc.set_threshold(0)": (True, (0, *gc.get_threshold()[1:])),
    "found = gc.get_threshold(); gc.set_threshold(90_000); gc.set_threshold(*found)": (True, None),
}
LOOKS = """
    import gc

    def test_looks():
        assert (gc.isenabled(), gc.get_threshold()) == {expected}
"""


@pytest.mark.parametrize("arguments", [("-n0",), ("-n2",), ("-n2", "--start-method=spawn")])
@pytest.mark.parametrize("done", SET_BY_CONFTEST)
def test_the_collector_is_as_the_project_set_it(project: Project, arguments: tuple[str, ...], done: str) -> None:
    if ENGINE == "xdist" and "--start-method=spawn" in arguments:
        pytest.skip("outpace's own")
    enabled, thresholds = SET_BY_CONFTEST[done]
    project.files(
        conftest=f"import gc\n{done}",
        test_a=LOOKS.format(expected=(enabled, thresholds or gc.get_threshold())),
        test_b="def test_b(): pass",
    )
    assert project.run(*arguments).counts == {"passed": 2}


@pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")
@pytest.mark.parametrize("arguments", [("-n0",), ("-n1",), ("-n1", "--start-method=spawn")])
def test_it_looks_less_often_while_the_controller_imports(project: Project, arguments: tuple[str, ...]) -> None:
    project.files(
        conftest="""
            import gc

            SEEN = gc.get_threshold()

            def pytest_report_header():
                return f"looks: {SEEN[0]}, {gc.get_threshold()}"
        """,
        test_a="def test_a(): pass",
    )
    own = gc.get_threshold()
    seen = own[0] if arguments == ("-n0",) else 50_000
    assert f"looks: {seen}, {own}" in project.run(*arguments).out


@pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_looks_less_often_while_tests_are_collected(project: Project, method: str) -> None:
    project.files(
        test_a="""
            import gc

            SEEN = gc.get_threshold()

            def test_seen():
                assert SEEN[0] > gc.get_threshold()[0]
                assert SEEN[1:] == gc.get_threshold()[1:]
        """,
    )
    assert project.run("-n1", "--start-method", method).counts == {"passed": 1}
