"""Fixtures of the contract tests: a fresh project per test, and the probe projects that many tests share.

``OUTPACE_TEST_ENGINE=xdist`` runs them against plain pytest-xdist. Tests marked ``fixed_by_outpace`` assert what
xdist gets wrong; with xdist they must fail, which proves that they can.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
for _folder in (HERE, HERE.parent / "support"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import probes  # noqa: E402
from project import ENGINE  # noqa: E402
from projects import project  # noqa: E402, F401


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fixed_by_outpace(reason): asserts a repair of xdist; fails with plain xdist")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ENGINE != "xdist":
        return
    for item in items:
        for mark in item.iter_markers("fixed_by_outpace"):
            item.add_marker(pytest.mark.xfail(reason=f"xdist: {mark.args[0]}", strict=True))


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> probes.Probe:
    """One distributed run of the probe project with two workers."""
    return probes.distributed(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def serial_probe(tmp_path_factory: pytest.TempPathFactory) -> probes.Probe:
    """The same project, not distributed."""
    return probes.serial(tmp_path_factory.mktemp("probe"))
