"""Fixtures of the tests about debuggers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_SUPPORT = str(Path(__file__).resolve().parent.parent / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)

from faults.arena import Arena  # noqa: E402

from .console import Desk  # noqa: E402


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return Arena(tmp_path)


@pytest.fixture
def desk(arena: Arena) -> Iterator[Desk]:
    desk = Desk(arena)
    yield desk
    desk.clear()
