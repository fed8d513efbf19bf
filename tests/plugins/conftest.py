"""Fixtures of the plugin tests: the lab that runs projects, and the parallel modes to run them in."""

from __future__ import annotations

import pytest

from .lab import PARALLEL_MODES, Lab

collect_ignore = ["projects"]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", PARALLEL_MODES, ids=[mode.name for mode in PARALLEL_MODES])
