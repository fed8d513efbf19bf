"""What tests leave behind in reference cycles is finalised before the process ends, however many rounds that takes."""

from __future__ import annotations

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
