"""The bundled suite of tests that cannot run side by side passes with its settings, and only with them."""

from __future__ import annotations

import shutil
from pathlib import Path

from watched import Watched

TRADING = Path(__file__).resolve().parents[2] / "examples" / "trading"


def test_the_conflicts_of_the_example_are_solved_by_its_settings(watched: Watched) -> None:
    shutil.copytree(TRADING, watched.path, dirs_exist_ok=True)
    (watched.path / "conftest.py").unlink()
    (watched.path / "private").mkdir()
    # The reports and databases that the tests share are in the temporary folder: in one of this test's own.
    run = watched.run("-n4", "tests_conflicts", env={"TMPDIR": str(watched.path / "private")})
    assert run.counts == {"passed": 32}, run.out
    run.match("outpace: 8 serial tests ran alone at the end")
