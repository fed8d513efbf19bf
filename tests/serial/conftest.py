"""Fixtures of the tests of serial tests and resources: a project that notes when each test ran, and where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "contract", HERE.parent / "support"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from watched import Watched  # noqa: E402

MODES = ("load", "worksteal", "loadscope", "loadfile", "loadgroup", "each")
METHODS = ("fork", "spawn")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    folder = tmp_path / "project"
    folder.mkdir()
    return Watched(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames and "mode" not in _own(metafunc):
        metafunc.parametrize("mode", MODES)
    if "method" in metafunc.fixturenames:
        metafunc.parametrize("method", METHODS)


def _own(metafunc: pytest.Metafunc) -> str:
    """The names that the test has parameters of its own for."""
    return " ".join(str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
