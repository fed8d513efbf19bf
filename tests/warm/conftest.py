"""Fixtures of the tests of warm runs: a project with a server of its own, which leaves nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from lab import Lab  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--steps", type=int, default=20, help="Steps of the test that looks for stale runs.")
    parser.addoption("--seed", type=int, default=7, help="The seed of these steps.")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    folder = tmp_path / "project"
    folder.mkdir()
    lab = Lab(folder, tmp_path / "run")
    lab.write("pytest.ini", "[pytest]\n")
    lab.write("test_it.py", "def test_it():\n    pass\n")
    try:
        yield lab
    finally:
        lab.close()
