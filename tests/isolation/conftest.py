"""Fixtures of the tests of tests in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_SUPPORT = str(Path(__file__).resolve().parent.parent / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)

from projects import method, project  # noqa: E402, F401


@pytest.fixture(params=["load", "worksteal", "loadscope", "loadfile", "loadgroup", "each"])
def mode(request: pytest.FixtureRequest) -> str:
    return f"--dist={request.param}"
