"""Fixtures of the folders whose tests run pytest on a small project; a folder's conftest imports what it uses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_CONTRACT = str(Path(__file__).resolve().parent.parent / "contract")
if _CONTRACT not in sys.path:
    sys.path.insert(0, _CONTRACT)

from project import Project  # noqa: E402


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture(params=["fork", "spawn"])
def method(request: pytest.FixtureRequest) -> str:
    return f"--start-method={request.param}"
