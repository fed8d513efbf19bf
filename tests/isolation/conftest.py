"""Fixtures of the tests of tests in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "contract", HERE.parent / "support"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from project import Project  # noqa: E402


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest) -> str:
    return f"--start-method={request.param}"


@pytest.fixture(params=["load", "worksteal", "loadscope", "loadfile", "loadgroup", "each"])
def mode(request: pytest.FixtureRequest) -> str:
    return f"--dist={request.param}"
