"""Fixtures of the fault tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_SUPPORT = str(Path(__file__).resolve().parent.parent / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)

from .arena import Arena  # noqa: E402

MODES = ("load", "worksteal", "loadscope", "loadfile", "loadgroup", "each")


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", MODES)
